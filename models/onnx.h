// onnx: a network as an ONNX model (https://onnx.ai/onnx/repo-docs/IR.html), so that other runtimes compute it. Pure; any thread
// may call.
//
//   input   float (n, 1, 28, 28): ink, 0 background to 1 ink, any n
//   logits  float (n, 10)
//
// IR version 7, operators of version 13 (2020): Conv, MaxPool, Flatten, Gemm and the activations. C1 takes ink as it comes:
// standardising is folded into its weights and biases, and the frame is its zero padding, since ink 0 is the background.
#pragma once

#include "core/weights.h"

#include <stddef.h>
#include <stdint.h>

// The file's bytes; the caller frees *bytes. Refused: 1998, whose output is not logits.
int onnx_encode(const struct weights *w, uint8_t **bytes, size_t *n, struct err *e);
