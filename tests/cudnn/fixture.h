// fixture: what the tests of the cuDNN path share.
#pragma once

#include "core/engine.h"
#include "tests/cudnn/fake_cudnn.h"

// Networks by their place in lenet5_at.
enum { SIGMOID, RELU, PUBLISHED, N_NETWORKS };
enum { FIXTURE_N_PARAMS = 61740, FIXTURE_N_DATA = 24 };

// The fake's controls, reset; NULL, and the test is skipped, where LD_LIBRARY_PATH does not lead to it.
struct fake_cudnn *fixture_controls(void);

// The engine by the fake cuDNN. The caller closes. Ends the program where it cannot be had.
struct engine *fixture_engine(bool tf32);

// A network with parameters that are noise.
const struct engine_network *fixture_network(int which);

// Pictures (FIXTURE_N_DATA, 28, 28) of noise and their labels, which fixture_data makes.
extern uint8_t fixture_pixels[FIXTURE_N_DATA * LENET5_PIXELS], fixture_labels[FIXTURE_N_DATA];
void fixture_data(void);
// The ink (n, 28, 28) of the pictures from `first` on.
void fixture_ink(int first, int n, float *ink);
