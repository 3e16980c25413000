// page: the files of web/ and docs/openapi.json, compiled in, and their routes.
#pragma once

#include "server/base/route.h"

extern const struct route page_routes[];
extern const int page_n_routes;
