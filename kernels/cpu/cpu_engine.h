// cpu_engine: what cpu.c and cpu_trainer.c share; only they include it.
#pragma once

#include "core/engine.h"
#include "kernels/cpu/isa.h"

struct cpu_engine {
	struct engine base;
	struct isa isa;
};

static inline const struct isa *cpu_isa(const struct engine *engine)
{
	return &((const struct cpu_engine *)engine)->isa;
}

// Aligned for the widest vectors, zeroed. The caller frees.
void *cpu_alloc(size_t bytes, struct err *e);

int cpu_trainer_open(struct engine *, const struct engine_training *, struct engine_trainer **, struct err *);
void cpu_trainer_close(struct engine_trainer *);
int cpu_trainer_data(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);
int cpu_trainer_steps(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses, struct err *);
int cpu_trainer_curvature(struct engine_trainer *, const uint32_t *order, uint32_t n, float *curvature, struct err *);
int cpu_trainer_read(struct engine_trainer *, float *params, float *momentum, struct err *);
