// What is put together from made-up candidates and what a network would say of them.
#include "core/picture/verdict.h"

#include "tests/unit/test.h"

#include <string.h>

static struct candidate box(int left, int top, int right, int bottom)
{
	return (struct candidate){ left, top, right, bottom, .is_light = false, .edge = 100, .width = 8 };
}

static struct lenet5_prediction says(int digit, float confidence)
{
	struct lenet5_prediction p = { .digit = digit, .confidence = confidence };
	for (int i = 0; i < LENET5_DIGITS; i++)
		p.probabilities[i] = i == digit ? confidence : (1 - confidence) / 9;
	return p;
}

static struct verdict judge_one(struct candidate candidate, float confidence)
{
	struct lenet5_prediction p = says(4, confidence);
	return verdict_of(&candidate, 1, &p, 0.8f);
}

TEST(verdict_of_one_candidate)
{
	struct verdict v = verdict_of(NULL, 0, NULL, 0);
	CHECK(v.reason == VERDICT_BLANK && v.candidate == -1);
	v = judge_one(box(10, 10, 50, 60), 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 0 && v.prediction.digit == 4 && v.prediction.confidence == 0.8f);
	v = judge_one(box(10, 10, 50, 60), 0.79f);
	CHECK(v.reason == VERDICT_NO_DIGIT && v.candidate == 0 && v.prediction.digit == 4);
	CHECK(judge_one(box(10, 10, 14, 17), 0.79f).reason == VERDICT_SMALL);
	CHECK(judge_one(box(10, 10, 14, 17), 0.9f).reason == VERDICT_DIGIT); // small, but clear
	struct candidate soft = box(10, 10, 50, 60);
	soft.softness = 0.5f;
	CHECK(judge_one(soft, 0.79f).reason == VERDICT_BLURRED);
	CHECK(judge_one(soft, 0.9f).reason == VERDICT_DIGIT);
}

TEST(verdict_of_one_among_many)
{
	struct candidate at[] = { box(10, 10, 50, 60), box(100, 10, 140, 60), box(200, 10, 240, 60), box(12, 12, 50, 60),
				  box(300, 10, 304, 14) };
	struct lenet5_prediction p[] = { says(4, 0.9f), says(1, 0.3f), says(2, 0.2f), says(4, 0.5f), says(7, 0.3f) };
	struct verdict v = verdict_of(at, 5, p, 0.7f); // two others: the fourth is there, too, and the last is inconspicuous
	float sum = 0;
	for (int i = 0; i < LENET5_DIGITS; i++)
		sum += v.prediction.probabilities[i];
	CHECK(v.reason == VERDICT_DIGIT && v.prediction.digit == 4 && v.prediction.confidence == v.prediction.probabilities[4]);
	CHECK_MSG(v.prediction.confidence > 0.8181f && v.prediction.confidence < 0.8183f && sum > 0.999f && sum < 1.001f, "%.4f",
		  (double)v.prediction.confidence); // odds of 9 to 1, halved
	v = verdict_of(at, 5, p, 0.82f);
	CHECK(v.reason == VERDICT_NO_DIGIT && v.prediction.digit == 4);
	p[0] = says(1, 0.9f); // of a 1 they are divided by five
	v = verdict_of(at, 5, p, 0.7f);
	CHECK(v.reason == VERDICT_NO_DIGIT && v.prediction.confidence > 0.6428f && v.prediction.confidence < 0.6429f);
}

TEST(verdict_the_whole_beats_its_part)
{
	struct candidate at[] = { box(20, 40, 50, 80), box(20, 10, 50, 80) };
	struct lenet5_prediction p[] = { says(0, 0.99f), says(8, 0.95f) };
	at[1].parts = 1 << 0;
	struct verdict v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 1 && v.prediction.digit == 8);
	p[1].confidence = 0.85f; // it is a digit with a line through it, say
	v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 0 && v.prediction.digit == 0);
	p[0] = says(1, 0.99f); // any stroke may be a 1
	v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 1 && v.prediction.digit == 8);
	p[0] = says(0, 0.99f);
	p[1].confidence = 0.7f; // it is no digit, so the part stands for itself
	v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 0 && v.prediction.digit == 0);
}

TEST(verdict_the_conspicuous_beats_the_inconspicuous)
{
	struct candidate at[] = { box(0, 0, 12, 12), box(40, 10, 100, 90) };
	const struct lenet5_prediction p[] = { says(1, 0.95f), says(5, 0.9f) };
	at[0].edge = 10;
	struct verdict v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_DIGIT && v.candidate == 1 && v.prediction.digit == 5);
}

TEST(verdict_two_side_by_side_are_several)
{
	struct candidate at[] = { box(10, 10, 50, 80), box(60, 12, 100, 82) };
	struct lenet5_prediction p[] = { says(1, 0.95f), says(5, 0.9f) };
	struct verdict v = verdict_of(at, 2, p, 0.8f);
	CHECK(v.reason == VERDICT_SEVERAL && v.candidate == 1 && v.prediction.digit == 5);
	p[0].confidence = 0.7f; // a stroke
	CHECK(verdict_of(at, 2, p, 0.8f).reason == VERDICT_DIGIT);
	p[0] = says(2, 0.7f); // this would be refused alone
	CHECK(verdict_of(at, 2, p, 0.8f).reason == VERDICT_SEVERAL);
	p[0] = says(1, 0.95f);
	p[1].confidence = 0.4f;
	CHECK(verdict_of(at, 2, p, 0.8f).reason == VERDICT_DIGIT);
	p[1].confidence = 0.9f;
	at[1].width = 1; // a hair beside it
	CHECK(verdict_of(at, 2, p, 0.8f).reason == VERDICT_DIGIT);
	at[1].width = 8;
	p[1].confidence = 0.9f;
	at[1] = box(12, 10, 52, 82); // the same one again
	CHECK(verdict_of(at, 2, p, 0.8f).reason == VERDICT_DIGIT);
}

TEST(verdict_has_words_for_every_reason)
{
	for (int i = 0; i < VERDICT_N_REASONS; i++) {
		CHECK(*verdict_name(i) && *verdict_sentence(i));
		CHECK(!strpbrk(verdict_name(i), "\"\\\n") && !strpbrk(verdict_sentence(i), "\"\\\n")); // for JSON as they are
		for (int k = 0; k < i; k++)
			CHECK(strcmp(verdict_name(i), verdict_name(k)) != 0);
	}
}
