// limits: what the daemon accepts from outside. Set by flags (config.h), printed at start-up.
#pragma once

struct limits {
	int max_body; // bytes of a request's body
	int max_buffer; // bytes of all bodies that are being received or wait to be decoded
	int max_pictures; // in a request
	int max_pixels; // of a picture, checked by its header before memory is taken, and of a request's (routes/upload.h)
	int max_whole_pixels; // the same of a picture that must be held whole to be decoded: WebP, progressive JPEG
	int max_scans; // of a progressive JPEG
	int max_connections; // HTTP_RESERVE more are accepted for probes (http/http.h)
	int max_connections_per_address; // 0: no limit
	int queue; // pictures that wait for the engine; at least max_pictures
	int decode_queue; // costly requests that wait for a decoder
	int decode_memory; // bytes that decoders take together, beside bodies
	int deadline_ms; // from the complete request to its answer; a later answer is 503
	int header_timeout_ms; // from a request's first line, or a connection's start, to the last header
	int body_timeout_ms; // for receiving a body, and for sending an answer
	int idle_timeout_s; // between two requests of a connection
};
