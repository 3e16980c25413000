// scene_camera: the light on a drawing, and the picture that a camera takes of it.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "models/drawing.h"

// Uneven light, a shadow's edge, a lamp's reflection.
void scene_camera_light(struct drawing *c);

// The drawing as 8 bits, with blur, noise or a display's mesh. The caller frees the image. Returns −1, with e set, for want of memory.
int scene_camera_expose(struct drawing *c, struct image *image, struct err *e);
