/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat_priv.h"

#include <errno.h>

static int
ops_nat(struct pkt *pkt, const struct nat_range *range, enum nat_manip manip)
{
	struct nat *nat = nat_of(pkt->worker);

	if (nat == NULL || pkt->conn == CONN_NONE)
		return -ENOENT;
	return nat_bind(nat, pkt, range, manip);
}

/* nf_nat_masquerade_ipv4: the egress is remembered, for the connection dies with it. */
static int
ops_masquerade(struct pkt *pkt, union address *addr)
{
	struct nat *nat = nat_of(pkt->worker);
	struct conn *c;
	int rc;

	if (nat == NULL || pkt->conn == CONN_NONE)
		return -ENOENT;
	rc = nat->routes.egress_address(nat->routes.ctx, pkt, addr);
	if (rc != 0) {
		pkt->drop = DROP_NAT_NO_ADDRESS;
		return rc;
	}
	c = conn_at(nat->ct, pkt->conn);
	c->flags |= CONN_MASQUERADE;
	c->egress = pkt->out_port;
	return 0;
}

static int
ops_redirect(const struct pkt *pkt, union address *addr)
{
	const struct nat *nat = nat_of(pkt->worker);

	return nat == NULL ? -ENOENT : nat->routes.ingress_address(nat->routes.ctx, pkt, addr);
}

struct ct_ops nat_ct_ops;

/* Before main: the table is complete before anybody can ask. */
static void __attribute__((constructor)) fill_ops(void)
{
	nat_ct_ops = conntrack_ops;
	nat_ct_ops.nat = ops_nat;
	nat_ct_ops.masquerade_address = ops_masquerade;
	nat_ct_ops.redirect_address = ops_redirect;
}
