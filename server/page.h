// page: the files of web/, compiled in, and their routes.
#pragma once

#include "server/route.h"

extern const struct route page_routes[];
extern const int page_n_routes;
