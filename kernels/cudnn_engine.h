// cudnn_engine: makes the GPU engine compute by cuDNN. Only kernels/cuda.c and kernels/cudnn_*.c include this.
#pragma once

#include "kernels/cuda_engine.h"

#include <stdbool.h>

// Opens cuDNN for an engine that is otherwise open, and puts cuDNN's functions, and its name, in place of the engine's own.
// Where this fails the engine stays as it was.
int cudnn_engine_attach(struct cuda_engine *engine, bool tf32, struct err *e);

int cudnn_trainer_open(struct engine *, const struct engine_training *, struct engine_trainer **, struct err *);
void cudnn_trainer_close(struct engine_trainer *);
int cudnn_trainer_data(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);
int cudnn_trainer_steps(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			struct err *);
int cudnn_trainer_read(struct engine_trainer *, float *params, float *momentum, struct err *);
