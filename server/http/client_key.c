#include "server/http/client_key.h"

#include "core/bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static uint64_t of_ipv4(const uint8_t bytes[4])
{
	return (uint64_t)1 << 32 | bytes_u32_be(bytes);
}

uint64_t client_key(const struct sockaddr *address)
{
	if (address && address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		return of_ipv4((const uint8_t *)&in.sin_addr);
	}
	if (address && address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, address, sizeof in);
		const uint8_t *bytes = in.sin6_addr.s6_addr;
		return IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) ? of_ipv4(bytes + 12)
							   : (uint64_t)bytes_u32_be(bytes) << 32 | bytes_u32_be(bytes + 4);
	}
	return 0;
}
