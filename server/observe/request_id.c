// Each thread seeds a generator of its own once: a system call for each request would cost more than the id.
#include "server/observe/request_id.h"

#include "core/rng.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char hex[] = "0123456789abcdef";

bool request_id_is_valid(const char *id)
{
	int n = 0;
	for (; id[n]; n++)
		if (n == REQUEST_ID_MAX || id[n] <= ' ' || id[n] > '~' || strchr("\"'\\", id[n]))
			return false;
	return n > 0;
}

// Early at boot the kernel may have no random numbers yet; the daemon does not wait for them.
static void seed(struct rng *rng)
{
	if (getrandom(rng->s, sizeof rng->s, GRND_NONBLOCK) == (ssize_t)sizeof rng->s)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	rng_init_stream(rng, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, (uint64_t)(uintptr_t)rng);
}

void request_id_make(char id[REQUEST_ID_HEX + 1])
{
	static _Thread_local struct rng rng;
	static _Thread_local bool seeded;
	if (!seeded)
		seed(&rng);
	seeded = true;
	for (int i = 0; i < REQUEST_ID_HEX;) {
		uint32_t bits = rng_next(&rng);
		for (int k = 0; k < 8; k++, bits >>= 4)
			id[i++] = hex[bits & 15];
	}
	id[REQUEST_ID_HEX] = 0;
}

// Whether s begins with n lower-case hex digits; zeros: all of them may be 0.
static bool is_hex(const char *s, int n, bool zeros)
{
	bool other = false;
	for (int i = 0; i < n; i++) {
		if (!s[i] || !strchr(hex, s[i]))
			return false;
		other |= s[i] != '0';
	}
	return other || zeros;
}

// version "-" trace-id "-" parent-id "-" trace-flags; later versions may append "-" and more.
bool request_id_read_traceparent(const char *s, char id[REQUEST_ID_HEX + 1])
{
	enum { TRACE = 3, PARENT = TRACE + REQUEST_ID_HEX + 1, FLAGS = PARENT + 16 + 1, END = FLAGS + 2 };
	if (strnlen(s, END) < END || s[TRACE - 1] != '-' || s[PARENT - 1] != '-' || s[FLAGS - 1] != '-')
		return false;
	if (!is_hex(s, 2, true) || strncmp(s, "ff", 2) == 0 || !is_hex(s + TRACE, REQUEST_ID_HEX, false) ||
	    !is_hex(s + PARENT, 16, false) || !is_hex(s + FLAGS, 2, true))
		return false;
	if (s[END] && (strncmp(s, "00", 2) == 0 || s[END] != '-'))
		return false;
	memcpy(id, s + TRACE, REQUEST_ID_HEX);
	id[REQUEST_ID_HEX] = 0;
	return true;
}
