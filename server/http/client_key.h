// client_key: a number for the address of a client, by which the daemon is fair to clients. Any thread.
#pragma once

#include <stdint.h>
#include <sys/socket.h>

// The same for an IPv4 address, and for the first 64 bits of an IPv6 address, since a single client may have all addresses that begin
// with these. 0 for a Unix socket, and for NULL. Two addresses have different numbers, but for IPv6 ones that are not in use.
uint64_t client_key(const struct sockaddr *address);
