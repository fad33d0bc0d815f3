/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rte_flow: the synchronous calls, slowed down and failed as the arguments say.
 */
#include <errno.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_flow_driver.h>

#include "nm_port.h"

static int
validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	int rc;

	nm_lock();
	rc = nm_flow_validate(nm_nic.sw, nm_port(dev)->id, attr, items, actions, error);
	rte_spinlock_unlock(&nm_nic.lock);
	return rc;
}

static int
failed(struct rte_flow_error *error, int err, const char *text)
{
	return rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, text);
}

/* At once, or in some steps. */
static void
activate(struct rte_flow *flow)
{
	if (nm_nic.step && nm_nic.create_us != 0)
		nm_flow_activate_at(flow, nm_nic.steps + nm_nic.create_us);
	else
		nm_flow_activate(flow);
}

static struct rte_flow *
create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct rte_flow *flow = NULL;
	uint32_t wait;

	nm_lock();
	wait = nm_nic.step ? 0 : nm_nic.create_us;
	if (nm_nic.fail_create != 0 && ++nm_nic.creates % nm_nic.fail_create == 0)
		failed(error, ENOMEM, "the model fails this one");
	else
		flow = nm_flow_prepare(nm_nic.sw, nm_port(dev)->id, attr, items, actions, error);
	rte_spinlock_unlock(&nm_nic.lock);
	if (flow == NULL)
		return NULL;
	if (wait != 0)
		usleep(wait);
	nm_lock();
	activate(flow);
	rte_spinlock_unlock(&nm_nic.lock);
	return flow;
}

static int
destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	uint64_t *due = nm_flow_due(flow);

	(void)dev;
	if (!nm_nic.step && nm_nic.destroy_us != 0)
		usleep(nm_nic.destroy_us);
	nm_lock();
	/* In steps: it still forwards, and says so, until its time has come. */
	if (nm_nic.step && nm_nic.destroy_us != 0) {
		if (*due == 0)
			*due = nm_nic.steps + nm_nic.destroy_us;
		if (nm_nic.steps < *due) {
			rte_spinlock_unlock(&nm_nic.lock);
			return failed(error, EBUSY, "still in the pipeline");
		}
	}
	nm_flow_destroy(nm_nic.sw, flow);
	rte_spinlock_unlock(&nm_nic.lock);
	return 0;
}

static int
flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	(void)error;
	nm_lock();
	nm_flow_flush(nm_nic.sw, nm_port(dev)->id);
	rte_spinlock_unlock(&nm_nic.lock);
	return 0;
}

static int
query(struct rte_eth_dev *dev, struct rte_flow *flow, const struct rte_flow_action *action,
	void *data, struct rte_flow_error *error)
{
	int rc;

	(void)dev;
	if (action->type != RTE_FLOW_ACTION_TYPE_COUNT)
		return failed(error, ENOTSUP, "only counters can be queried");
	nm_lock();
	rc = nm_flow_query(flow, data);
	rte_spinlock_unlock(&nm_nic.lock);
	return rc == 0 ? 0 : failed(error, -rc, "the rule has no counter");
}

const struct rte_flow_ops nm_flow_ops = {
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.flush = flush,
	.query = query,
};
