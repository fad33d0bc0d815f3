/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EAL and the packet buffers. lcore 0 is the control thread, on every CPU that
 * the process may have; lcores from 1 on are the workers, each on its CPU.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "daemon.h"
#include "log.h"

/* Descriptors that a queue may hold, each way. */
#define QUEUE_BUFFERS 1024U
/* In flight in a worker: its walk, the rings to the others, what it holds. */
#define WORKER_BUFFERS 8192U
/* Bytes of an ordinary frame with its headroom. */
#define BUFFER_ROOM (RTE_MBUF_DEFAULT_BUF_SIZE)
#define MAX_ARGS    64

uint32_t
eal_buffers(const struct config *config)
{
	uint32_t workers = config->runtime.worker_count;

	return config->port_count * workers * 2 * QUEUE_BUFFERS +
	       workers * (WORKER_BUFFERS + (workers - 1) * QUEUE_BUFFERS) + 1023;
}

uint32_t
eal_megabytes(const struct config *config)
{
	uint64_t bytes = (uint64_t)eal_buffers(config) *
			 (sizeof(struct rte_mbuf) + PKT_PRIV_SIZE + BUFFER_ROOM + 64);

	if (config->runtime.memory != 0)
		return (uint32_t)(config->runtime.memory >> 20);
	return (uint32_t)(bytes >> 20) + 64;
}

uint64_t
eal_hugepages_mb(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * 2;
}

/* "0@(0-1),1@1": lcores and their CPUs. */
static void
lcores(const struct config *config, char *text, size_t size)
{
	cpu_set_t set;
	size_t n = (size_t)snprintf(text, size, "0@(");

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && n < size; cpu++)
		if (CPU_ISSET(cpu, &set))
			n += (size_t)snprintf(text + n, size - n, "%u,", cpu);
	n += (size_t)snprintf(text + n - 1, size - n + 1, ")") - 1;
	for (unsigned int i = 0; i < config->runtime.worker_count && n < size; i++)
		n += (size_t)snprintf(
			text + n, size - n, ",%u@%u", i + 1, config->runtime.workers[i]);
}

int
eal_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	const struct config *config = d->config;
	char lcore_text[2048], memory[16], prefix[32];
	char *argv[MAX_ARGS] = {"shuntd", "--lcores", lcore_text, "--file-prefix", prefix, "-m",
		memory, "--log-level=lib.eal:warning", "--no-telemetry"};
	int argc = 9;

	lcores(config, lcore_text, sizeof(lcore_text));
	snprintf(memory, sizeof(memory), "%u", eal_megabytes(config));
	snprintf(prefix, sizeof(prefix), "shunt-%d", (int)getpid());
	d->hugepages = eal_hugepages_mb() >= eal_megabytes(config);
	if (d->hugepages) {
		/* No files: no hugetlbfs need be mounted, and nothing outlives the process. */
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
	}
	for (unsigned int i = 0; i < config->runtime.eal_count && argc < MAX_ARGS - 1; i++)
		argv[argc++] = config->runtime.eal[i];
	if (rte_eal_init(argc, argv) < 0) {
		snprintf(err, DAEMON_ERR_LEN, "%s (the lines above say more)",
			rte_strerror(rte_errno));
		return -EINVAL;
	}
	d->pool_size = eal_buffers(config);
	d->pool = rte_pktmbuf_pool_create(
		"packets", d->pool_size, 256, PKT_PRIV_SIZE, BUFFER_ROOM, SOCKET_ID_ANY);
	if (d->pool == NULL) {
		snprintf(err, DAEMON_ERR_LEN, "no memory for %u packet buffers (%s)", d->pool_size,
			rte_strerror(rte_errno));
		rte_eal_cleanup();
		return -ENOMEM;
	}
	log_info("%u packet buffers in %s pages", d->pool_size, d->hugepages ? "huge" : "ordinary");
	return 0;
}

void
eal_fini(struct daemon *d)
{
	rte_mempool_free(d->pool);
	d->pool = NULL;
	rte_eal_cleanup();
}
