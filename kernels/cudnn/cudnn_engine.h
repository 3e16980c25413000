// cudnn_engine: what the parts of the engine by cuDNN share. Only kernels/cudnn_*.c include this.
#pragma once

#include "kernels/cuda/cuda_engine.h"

int cudnn_trainer_open(struct engine *, const struct engine_training *, struct engine_trainer **, struct err *);
void cudnn_trainer_close(struct engine_trainer *);
int cudnn_trainer_data(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);
int cudnn_trainer_steps(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			struct err *);
int cudnn_trainer_read(struct engine_trainer *, float *params, float *momentum, struct err *);
