// work: what an engine was given since the start. Who gives it something adds; anybody may read.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct work {
	_Atomic uint64_t pictures, passes; // and the forward passes that they shared
};
