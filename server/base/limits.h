// limits: how much the daemon takes from outside, all in one place. Set by flags (config.h), printed at start.
#pragma once

struct limits {
	int max_body; // bytes of a request's body
	int max_buffer; // bytes of all bodies that are being received at one time
	int max_pictures; // of a request
	int max_pixels; // of a picture, known from the PNG's header before anything is allocated, and of all of a request (upload.h)
	int max_connections; // and a few for who asks whether the daemon lives (http.h)
	int max_connections_per_address; // 0: as many as there are
	int queue; // pictures that wait for the engine; at least max_pictures
	int deadline_ms; // from a complete request to its answer; then 503
	int header_timeout_ms; // from a request's first line (of a new connection: from its start) to its last header
	int body_timeout_ms; // of a body, and of the answer on its way out
	int idle_timeout_s; // of a connection between two requests
};
