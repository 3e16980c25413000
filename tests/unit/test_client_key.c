#include "server/http/client_key.h"

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static uint64_t key_of(const char *address, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };
	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		return client_key((struct sockaddr *)&in);
	CHECK(inet_pton(AF_INET6, address, &in6.sin6_addr) == 1);
	return client_key((struct sockaddr *)&in6);
}

TEST(client_key_tells_addresses_apart)
{
	const struct sockaddr_un path = { .sun_family = AF_UNIX };
	CHECK(key_of("192.0.2.1", 1) == key_of("192.0.2.1", 2) && key_of("192.0.2.1", 1) != key_of("192.0.2.2", 1));
	CHECK(key_of("192.0.2.1", 1) == key_of("::ffff:192.0.2.1", 1));
	CHECK(key_of("2001:db8::1", 1) == key_of("2001:db8::ffff:1", 1)); // of one network
	CHECK(key_of("2001:db8::1", 1) != key_of("2001:db8:0:1::1", 1) && key_of("0.0.0.0", 1) != key_of("::1", 1));
	CHECK(client_key((const struct sockaddr *)&path) == 0 && client_key(NULL) == 0);
}
