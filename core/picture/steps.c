// Planes and marks are moved here at the moment when the search would free them, so keeping them costs memory, and no time.
#include "core/picture/steps.h"

#include <math.h>
#include <stdlib.h>

static void free_look(struct steps_look *look)
{
	planes_free(&look->planes);
	free(look->erased);
}

void steps_free(struct steps *steps)
{
	for (int i = 0; i <= steps->n_looks; i++)
		free_look(&steps->looks[i]);
	for (int i = 0; i < steps->n_marks; i++)
		mark_free(&steps->marks[i].mark);
	*steps = (struct steps){ 0 };
}

int steps_allocate(const struct steps *steps, const struct planes *planes, uint8_t **erased, struct err *e)
{
	if (!steps)
		return 0;
	*erased = calloc((size_t)planes->width * (size_t)planes->height, 2);
	return *erased ? 0 : err_set(e, "no memory to keep the steps of a picture");
}

void steps_note_mark(struct steps *steps, enum plane plane)
{
	if (steps)
		steps->marks[steps->n_marks++] = (struct steps_mark){ .look = steps->n_looks, .plane = plane };
}

void steps_keep_look(struct steps *steps, struct planes *planes, uint8_t *erased)
{
	if (!steps)
		return;
	free_look(&steps->looks[steps->n_looks]);
	steps->looks[steps->n_looks] = (struct steps_look){ *planes, erased };
	for (int i = 0; i < PLANES_N; i++)
		planes->at[i].pixels = NULL;
	if (steps->n_marks && steps->marks[steps->n_marks - 1].look == steps->n_looks)
		steps->n_looks++;
}

void steps_keep_marks(struct steps *steps, struct mark *marks)
{
	for (int i = 0; steps && i < steps->n_marks; i++) {
		steps->marks[i].mark = marks[i];
		marks[i].mask = NULL;
	}
}

struct steps_box steps_box(const struct candidate *c, double scale_x, double scale_y)
{
	int left = (int)lround(c->left * scale_x), top = (int)lround(c->top * scale_y);
	return (struct steps_box){ left, top, (int)lround(c->right * scale_x) - left, (int)lround(c->bottom * scale_y) - top };
}
