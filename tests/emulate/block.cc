// A block's threads on one thread of this processor: coroutines with stacks of their own that hand over at barriers. They are
// made once and get one block after the other. emulate.cc holds its lock around all of it.
#include "tests/emulate/block.h"
#include "tests/emulate/emulate.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
float4 cuda_shared[EMULATE_SHARED_BYTES / sizeof(float4)];
struct emulate_counts emulate_counts;

namespace
{

enum { STACK_BYTES = 256 << 10 };
enum state { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };

struct coroutine {
	void *here[5];
	ucontext_t start;
	bool started;
	enum state state;
	unsigned long long shuffled;
};

coroutine coroutines[EMULATE_MAX_THREADS];
void *scheduler[5];
int current;
const std::function<void()> *running;
emulate_order order;

// Returns in whoever last saved itself in `to`. A function of its own, as __builtin_longjmp and its setjmp want, and one that
// callers know nothing of: not which registers it spares (it spares none), nor that it never returns (AddressSanitizer would
// clean up a stack that is not the one it knows).
__attribute__((noipa, no_sanitize("address"))) void jump(void **to)
{
	__builtin_longjmp(to, 1);
}

#define KEEP_FRAME() asm volatile("" ::: "memory") // no tail call: there is something left to do

__attribute__((noipa)) void hand_over(void **from, void **to)
{
	if (!__builtin_setjmp(from))
		jump(to);
	KEEP_FRAME();
}

void wait_for_others(enum state at)
{
	int self = current;
	coroutines[self].state = at;
	hand_over(coroutines[self].here, scheduler);
}

void coroutine_main()
{
	for (;;) {
		(*running)();
		wait_for_others(DONE);
	}
}

void start_coroutine(coroutine *c)
{
	void *stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		abort();
	getcontext(&c->start);
	c->start.uc_stack.ss_sp = stack;
	c->start.uc_stack.ss_size = STACK_BYTES;
	makecontext(&c->start, coroutine_main, 0);
	c->started = true;
}

__attribute__((noipa)) void resume(int thread)
{
	coroutine *c = &coroutines[thread];
	current = thread;
	threadIdx = { (unsigned)thread % blockDim.x, (unsigned)thread / blockDim.x % blockDim.y,
		      (unsigned)thread / blockDim.x / blockDim.y };
	c->state = READY;
	if (__builtin_setjmp(scheduler))
		return;
	if (!c->started) {
		start_coroutine(c);
		setcontext(&c->start);
	}
	jump(c->here);
	KEEP_FRAME();
}

int nth_thread(int i, int n)
{
	return order == EMULATE_FORWARDS ? i : order == EMULATE_BACKWARDS ? n - 1 - i : (int)((i * 769L + 13) % n);
}

// How many of the threads first..last-1 are in that state.
int count(int first, int last, enum state state)
{
	int n = 0;
	for (int i = first; i < last; i++)
		n += coroutines[i].state == state;
	return n;
}

// Lets through the barriers that all who still run have reached. CUDA wants all of a block or warp at a barrier; here those
// that have ended are not waited for.
bool open_barriers(int n)
{
	bool any = false;
	for (int first = 0; first < n; first += warpSize) {
		int last = std::min(first + (int)warpSize, n);
		int waiting = count(first, last, AT_WARP_BARRIER);
		if (waiting && waiting + count(first, last, DONE) == last - first)
			for (int i = first; i < last; i++)
				if (coroutines[i].state == AT_WARP_BARRIER)
					coroutines[i].state = READY, any = true;
	}
	int waiting = count(0, n, AT_BLOCK_BARRIER);
	if (waiting && waiting + count(0, n, DONE) == n)
		for (int i = 0; i < n; i++)
			if (coroutines[i].state == AT_BLOCK_BARRIER)
				coroutines[i].state = READY, any = true;
	return any;
}

} // namespace

void emulate_block(const std::function<void()> &kernel, int n, size_t shared_bytes)
{
	running = &kernel;
	emulate_counts.blocks++;
	memset(cuda_shared, 0xff, shared_bytes);
	for (int i = 0; i < n; i++)
		coroutines[i].state = READY;
	do {
		for (int i = 0; i < n; i++) {
			int thread = nth_thread(i, n);
			if (coroutines[thread].state == READY)
				resume(thread);
		}
	} while (open_barriers(n));
	if (count(0, n, DONE) != n) {
		fprintf(stderr, "emulate: a barrier that not all threads reach\n");
		abort();
	}
}

void __syncthreads()
{
	wait_for_others(AT_BLOCK_BARRIER);
}

void __syncwarp(unsigned)
{
	wait_for_others(AT_WARP_BARRIER);
}

unsigned long long emulate_shuffle(unsigned long long bits, int lane)
{
	int self = current;
	coroutines[self].shuffled = bits;
	__syncwarp();
	bits = coroutines[self / warpSize * warpSize + lane].shuffled;
	__syncwarp();
	return bits;
}

extern "C" void emulate_threads(enum emulate_order o)
{
	order = o;
}
