// A card that is lost in mid-load: linked into the daemon, this waits for a byte in the FIFO that LOST_CARD names and then runs a
// kernel that traps. CUDA takes this process's context away, with every call after it failing, as it does for a card that has
// fallen off the bus. The card and other processes on it are unharmed.
#include <cuda_runtime.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__global__ static void trap()
{
	asm volatile("trap;");
}

static void *await_loss(void *path)
{
	char byte;
	int fifo = open((const char *)path, O_RDONLY | O_CLOEXEC); // until somebody opens it to write
	if (fifo < 0 || read(fifo, &byte, 1) != 1 || cudaSetDevice(0) != cudaSuccess)
		return NULL;
	trap<<<1, 1>>>();
	cudaDeviceSynchronize();
	return NULL;
}

// The daemon's main thread waits for signals, so this thread takes none.
__attribute__((constructor)) static void begin()
{
	pthread_t thread;
	sigset_t all, before;
	char *path = getenv("LOST_CARD");
	if (!path)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, await_loss, path) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
