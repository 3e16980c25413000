// predict: POST /predict, pictures to digits. The context is a struct routes_context.
#pragma once

#include "server/base/route.h"

extern const struct route predict_route;
