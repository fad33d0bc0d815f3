/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Read-copy-update by quiescent states: how the control thread replaces an
 * object that workers read without locks. One domain for the whole process.
 *
 * A worker reports a quiescent state at the top of each walk, where it holds no
 * pointer from the walk before; then it reads the published pointers afresh. So
 * a grace period that began after a publication ends only when every worker
 * that is online has taken the new object up, and nobody reads the old one.
 *
 * The control thread publishes (rcu_publish), collects what it unpublished in a
 * batch and retires the batch: one grace period serves all of it. rcu_poll()
 * frees what has become free; it never blocks.
 *
 *   worker                             control thread
 *   rcu_online(w)                      struct rcu_batch *b = rcu_batch_new();
 *   for each walk:                     rcu_batch_add(b, free, old)
 *           rcu_quiescent(w)           rcu_publish(&current, new);
 *           p = rcu_read(&current)     token = rcu_retire(b);
 *           ...                        ... later, from the event loop: rcu_poll()
 *   rcu_offline(w)                     rcu_done(token): say so to the client
 */
#ifndef SHUNT_RCU_RCU_H
#define SHUNT_RCU_RCU_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

/** The most workers that rcu_init() takes. */
#define RCU_MAX_WORKERS 128

/** A moment; see rcu_start(). Tokens grow: what is done by a later one was done by an earlier one.
 */
typedef uint64_t rcu_token;

/** What a batch calls on an object when no worker can see it any more. */
typedef void (*rcu_free_fn)(void *object);

/** Objects that wait for one grace period together. */
struct rcu_batch;

/** The process's variable: for the inline functions below only. */
extern struct rte_rcu_qsbr *rcu_var;

/**
 * Make the domain. Before any worker runs; needs no EAL.
 * @param workers the workers' numbers are 0 .. workers - 1; all start offline
 * @return 0, -EINVAL for 0 or more than RCU_MAX_WORKERS, -EBUSY if there is one
 *   already, -ENOMEM
 */
int rcu_init(unsigned int workers);

/**
 * Free all that is retired, and the domain. Every worker has stopped: none is
 * waited for. Without a domain it does nothing.
 */
void rcu_fini(void);

/** The worker starts to read published pointers. That worker, outside of a walk. */
static inline void
rcu_online(unsigned int worker)
{
	rte_rcu_qsbr_thread_online(rcu_var, worker);
}

/**
 * The worker holds no published pointer, and is not waited for until it comes
 * online again: before it sleeps or ends. That worker.
 */
static inline void
rcu_offline(unsigned int worker)
{
	rte_rcu_qsbr_thread_offline(rcu_var, worker);
}

/** The worker holds no published pointer at this moment: at the top of a walk. That worker, online.
 */
static inline void
rcu_quiescent(unsigned int worker)
{
	rte_rcu_qsbr_quiescent(rcu_var, worker);
}

/** Publish a complete object: all that was written to it before is seen with it. Control thread. */
#define rcu_publish(where, object) __atomic_store_n((where), (object), __ATOMIC_RELEASE)

/** The published object. Any thread; a worker may use it until its next quiescent state. */
#define rcu_read(where) __atomic_load_n((where), __ATOMIC_ACQUIRE)

/** Begin a grace period. Control thread. @return the token by which rcu_done() knows it */
rcu_token rcu_start(void);

/**
 * Whether every worker that was online at rcu_start() has since passed a
 * quiescent state or gone offline: it has then latched whatever was published
 * before. Never blocks. Control thread.
 */
bool rcu_done(rcu_token token);

/** An empty batch. Control thread. @return NULL without memory */
struct rcu_batch *rcu_batch_new(void);

/**
 * Put an object into a batch that is not retired yet. Control thread; while the
 * object is still published, so that a failure changes nothing.
 * @param fn called once with the object, on the control thread
 * @return 0, -EINVAL without fn, -ENOMEM: the batch is as it was
 */
int rcu_batch_add(struct rcu_batch *batch, rcu_free_fn fn, void *object);

/** Forget a batch that was not retired; its objects stay as they are. NULL is ignored. Control
 * thread. */
void rcu_batch_drop(struct rcu_batch *batch);

/**
 * Retire a batch: its objects were just unpublished. It belongs to the domain
 * from here on. It cannot fail. Control thread.
 * @return the token of its grace period
 */
rcu_token rcu_retire(struct rcu_batch *batch);

/**
 * Free the batches whose grace period is over, in the order of their retiring,
 * objects in the order of their adding. Never blocks. Control thread.
 * @return the batches that still wait
 */
unsigned int rcu_poll(void);

/**
 * Wait for a grace period and free everything retired. It spins: for tests and
 * shutdown. Control thread; a thread that is itself an online worker would wait
 * for itself.
 */
void rcu_synchronize(void);

#endif
