#include "core/picture/exif.h"

#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

TEST(exif_orientations_are_read_in_both_byte_orders)
{
	for (int o = 0; o <= 10; o++) {
		int want = o >= 1 && o <= 8 ? o : 1;
		uint8_t little[32] = "Exif";
		pictures_put_exif(little + 6, o);
		uint8_t big[] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, (uint8_t)o, 0, 0, 0, 0, 0, 0 };
		CHECK(exif_orientation(little + 6, 26) == want && exif_orientation(little, 32) == want);
		CHECK_MSG(exif_orientation(big, sizeof big) == want, "orientation %d", o);
	}
}

TEST(exif_the_tag_is_found_behind_others_and_only_in_its_form)
{
	uint8_t two[] = { 'I', 'I', 42, 0, 8, 0,  0, 0, 2, 0, 15, 1, 2, 0, 9, 0, 0,
			  0,   0,   0,  0, 0, 18, 1, 3, 0, 1, 0,  0, 0, 6, 0, 0, 0 };
	CHECK(exif_orientation(two, sizeof two) == 6);
	two[24] = 2; // a text
	CHECK(exif_orientation(two, sizeof two) == 1);
	two[24] = 3;
	two[26] = 2; // two values
	CHECK(exif_orientation(two, sizeof two) == 1);
}

TEST(exif_damaged_data_are_upright)
{
	uint8_t whole[26];
	pictures_put_exif(whole, 6);
	for (size_t n = 0; n < 22; n++) {
		uint8_t *exact = malloc(n + !n);
		memcpy(exact, whole, n);
		CHECK_MSG(exif_orientation(exact, n) == 1, "%zu bytes", n);
		free(exact);
	}
	for (int i = 0; i < 4; i++)
		whole[4 + i] = 0xff; // the directory's place
	CHECK(exif_orientation(whole, sizeof whole) == 1);
	uint8_t wide[26];
	pictures_put_exif(wide, 6);
	wide[8] = wide[9] = 0xff; // so many entries
	wide[10] = 0;
	CHECK(exif_orientation(wide, sizeof wide) == 1);
}
