#include "core/image.h"

#include <stdlib.h>

void image_free(struct image *image)
{
	free(image->pixels);
	*image = (struct image){ 0 };
}
