// onnx: encodes a network as an ONNX model (https://onnx.ai/onnx/repo-docs/IR.html) for other runtimes. Pure; any thread may call.
//
//   input   float (n, 1, 28, 28): ink, 0 background to 1 ink, any n
//   logits  float (n, 10)
//
// IR version 7, operators of version 13 (2020): Conv, MaxPool, Flatten, Gemm and the activations. Standardising is folded into the
// weights and biases of C1; the frame around the picture is C1's zero padding, since the background is ink 0.
#pragma once

#include "core/weights.h"

#include <stddef.h>
#include <stdint.h>

// Encodes the file; the caller frees *bytes. Refuses network 1998, whose output is not logits.
int onnx_encode(const struct weights *w, uint8_t **bytes, size_t *n, struct err *e);
