// One decoder is held by a first task, so that the order of the others is that of the queue.
#include "server/compute/decoders.h"

#include "core/clock.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TASKS = 16, ALICE = 1, BOB, CAROL };

static const int64_t FAR = 600 * (int64_t)1000000000;

struct item {
	struct decoders_task task;
	char name;
	bool holds; // waits inside until release()
	uint64_t reserves;
	enum decoders_result result, reserved; // of the task, and of its reservation
	bool done;
};

static struct decoders *decoders;
static struct item items[MAX_TASKS];
static int n_items;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char order[MAX_TASKS + 1]; // lock; the names of tasks in the order of their ends
static int n_holding; // lock
static bool released; // lock

static void run(struct decoders_task *task, enum decoders_result result, struct decoders_thread *thread)
{
	struct item *item = (struct item *)task;
	CHECK((result == DECODERS_OK) == (thread != NULL));
	if (thread && item->reserves)
		item->reserved = decoders_reserve(thread, item->reserves);
	pthread_mutex_lock(&lock);
	n_holding += item->holds;
	pthread_cond_broadcast(&changed);
	while (item->holds && !released)
		pthread_cond_wait(&changed, &lock);
	n_holding -= item->holds;
	item->result = result;
	item->done = true;
	order[strlen(order)] = item->name;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void start(int n_threads, int queue, int64_t memory)
{
	const struct decoders_options options = { n_threads, queue, memory };
	struct err e;
	memset(items, 0, sizeof items);
	memset(order, 0, sizeof order);
	n_items = n_holding = 0;
	released = false;
	CHECK_MSG(decoders_open(&options, &decoders, &e) == 0, "%s", e.msg);
}

static struct item *item(char name, uint64_t client)
{
	struct item *i = &items[n_items++];
	*i = (struct item){ .task = { run, client, clock_now_ns() + FAR, NULL, 0, NULL }, .name = name };
	return i;
}

static struct item *submit(char name, uint64_t client)
{
	struct item *i = item(name, client);
	decoders_submit(decoders, &i->task);
	return i;
}

// Submits a task that holds a decoder, and waits until it does.
static struct item *hold(char name, uint64_t client, uint64_t reserves)
{
	struct item *i = item(name, client);
	i->holds = true;
	i->reserves = reserves;
	pthread_mutex_lock(&lock);
	int n = n_holding;
	pthread_mutex_unlock(&lock);
	decoders_submit(decoders, &i->task);
	pthread_mutex_lock(&lock);
	while (n_holding == n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return i;
}

static void await(const struct item *i)
{
	pthread_mutex_lock(&lock);
	while (!i->done)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void release(void)
{
	pthread_mutex_lock(&lock);
	released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

// Lets everything come to its end.
static void stop(void)
{
	release();
	for (int i = 0; i < n_items; i++)
		await(&items[i]);
	decoders_close(decoders);
}

TEST(decoders_take_turns_between_clients)
{
	start(1, 100, 1);
	hold('x', ALICE, 0);
	for (const char *c = "abcd"; *c; c++)
		submit(*c, ALICE);
	submit('B', BOB);
	submit('C', CAROL);
	submit('D', BOB);
	stop();
	CHECK_MSG(strcmp(order, "xaBCbDcd") == 0, "%s", order);
}

// A client that asks one after another does not go before one that waits.
TEST(decoders_let_no_client_overtake_for_ever)
{
	start(1, 100, 1);
	hold('x', ALICE, 0);
	submit('a', ALICE);
	submit('b', ALICE);
	submit('B', BOB);
	submit('C', BOB);
	submit('D', BOB);
	stop();
	CHECK_MSG(strcmp(order, "xaBbCD") == 0, "%s", order);
}

TEST(decoders_drop_the_last_of_who_has_most)
{
	start(1, 3, 1);
	hold('x', ALICE, 0);
	submit('a', ALICE);
	submit('b', ALICE);
	struct item *last = submit('c', ALICE), *over = submit('d', ALICE);
	CHECK(over->done && over->result == DECODERS_FULL && !last->done);
	struct item *other = submit('B', BOB);
	CHECK(last->done && last->result == DECODERS_FULL && !other->done);
	struct decoders_state state;
	decoders_state(decoders, &state);
	CHECK(state.n_queued == 3 && state.n_busy == 1 && state.most_overdue_ns == 0);
	stop();
	CHECK_MSG(strcmp(order, "dcxaBb") == 0, "%s", order);
}

// While the only decoder is busy.
TEST(decoders_drop_what_is_late_at_its_deadline)
{
	start(1, 10, 1);
	struct item *x = hold('x', ALICE, 0), *late = item('l', ALICE), *soon = item('s', BOB);
	late->task.deadline_ns = clock_now_ns() + 20000000;
	soon->task.deadline_ns = clock_now_ns() + 1000000;
	decoders_submit(decoders, &late->task);
	decoders_submit(decoders, &soon->task);
	submit('a', BOB);
	await(late);
	await(soon);
	CHECK(late->result == DECODERS_LATE && soon->result == DECODERS_LATE && !x->done);
	stop();
	CHECK_MSG(strcmp(order, "slxa") == 0, "%s", order);
}

TEST(decoders_drop_whose_client_is_gone)
{
	static atomic_bool gone;
	atomic_store(&gone, false);
	start(1, 2, 1);
	hold('x', ALICE, 0);
	struct item *left = item('l', ALICE);
	left->task.gone = &gone;
	decoders_submit(decoders, &left->task);
	submit('a', ALICE);
	atomic_store(&gone, true);
	struct item *b = submit('b', ALICE); // there is room for it now
	await(left);
	CHECK(left->result == DECODERS_GONE);
	stop();
	CHECK(b->result == DECODERS_OK && strcmp(order, "lxab") == 0);
}

static void await_state(int n_queued, int n_busy, int64_t n_reserved)
{
	struct decoders_state state;
	int64_t until_ns = clock_now_ns() + FAR;
	do
		decoders_state(decoders, &state);
	while (clock_now_ns() < until_ns &&
	       (state.n_queued != n_queued || state.n_busy != n_busy || state.n_reserved != n_reserved));
	CHECK_MSG(state.n_queued == n_queued && state.n_busy == n_busy && state.n_reserved == n_reserved, "%d %d %d",
		  state.n_queued, state.n_busy, (int)state.n_reserved);
}

// 'b' would fit beside 'x', but the larger 'a' has waited longer.
TEST(decoders_reserve_memory_in_order)
{
	start(3, 10, 100);
	hold('x', ALICE, 60);
	struct item *a = item('a', ALICE), *b = item('b', BOB), *late = item('l', CAROL);
	a->reserves = 5000; // more than there is: it runs alone
	b->reserves = 40;
	decoders_submit(decoders, &a->task);
	await_state(0, 2, 60);
	late->reserves = 50;
	late->task.deadline_ns = clock_now_ns() + 1000000;
	decoders_submit(decoders, &late->task);
	await(late);
	CHECK(late->result == DECODERS_LATE || late->reserved == DECODERS_LATE); // a slow machine may not begin it in time
	decoders_submit(decoders, &b->task);
	await_state(0, 3, 60);
	CHECK(!a->done && !b->done);
	stop();
	CHECK(a->reserved == DECODERS_OK && b->reserved == DECODERS_OK);
	CHECK_MSG(strcmp(order, "lxab") == 0, "%s", order);
}

TEST(decoders_report_an_overdue_task)
{
	struct decoders_state state;
	start(1, 10, 1);
	struct item *x = item('x', ALICE);
	x->holds = true;
	x->task.deadline_ns = clock_now_ns() + 50000000;
	decoders_submit(decoders, &x->task);
	do
		decoders_state(decoders, &state);
	while (state.most_overdue_ns == 0 && state.n_queued + state.n_busy > 0); // a slow machine may not begin it in time
	CHECK(state.n_queued == 0);
	stop();
}

static void *close_decoders(void *arg)
{
	decoders_close(arg);
	return NULL;
}

TEST(decoders_close_drops_what_waits)
{
	start(1, 10, 1);
	hold('x', ALICE, 0);
	struct item *a = submit('a', ALICE);
	pthread_t closer;
	CHECK(pthread_create(&closer, NULL, close_decoders, decoders) == 0);
	await(a);
	CHECK(a->result == DECODERS_STOPPED);
	struct item *b = submit('b', BOB);
	CHECK(b->done && b->result == DECODERS_STOPPED);
	release();
	pthread_join(closer, NULL);
	CHECK_MSG(strcmp(order, "abx") == 0, "%s", order);
}
