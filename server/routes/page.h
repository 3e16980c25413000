// page: routes of the files of web/ and of docs/openapi.json, which are compiled in.
#pragma once

#include "server/base/route.h"

extern const struct route page_routes[];
extern const int page_n_routes;
