// effort: how much the calling thread may spend on reading a request's body. A thread that answers HTTP spends little, since all its other
// connections wait meanwhile; what needs more is read by a decoder (compute/decoders.h).
#pragma once

enum effort {
	EFFORT_WHOLE, // as much as the limits allow
	EFFORT_SMALL, // a small body; small pictures (core/picture/decode.h), for EFFORT_SMALL_MS of the thread's processor time
	EFFORT_TINY, // the same with tiny pictures
};

enum { EFFORT_SMALL_BYTES = 64 << 10, EFFORT_SMALL_MS = 4 };

// What a reader returns instead of an HTTP status: the body needs a greater effort. Nothing of it is read then.
enum {
	EFFORT_COSTLY = 1, // its size or the header of a picture says so
	EFFORT_OVERRAN, // it took EFFORT_SMALL_MS, which no header could tell
};
