// version: what `lenet --version` and the daemon call themselves.
#pragma once

#define LENET_VERSION "0.1.0"
