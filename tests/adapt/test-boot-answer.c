// SPDX-License-Identifier: GPL-3.0-or-later
/* Every rule of the answer, from values. */
#include "adapt/boot_answer.h"

#include "base/scope.h"
#include "tests/test.h"

#define RELEASE "6.1.0-9-amd64"

struct fixture {
	struct drivers_db *db;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	assert_int_equal(drivers_db_load(V2P_SOURCE_DIR "/drivers-db", &fixture.db, NULL), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	drivers_db_free(((struct fixture *)*state)->db);
	return 0;
}

/* One device, at most one hazard. */
struct facts {
	bool is_network, is_critical;
	enum verdict verdict;
	const char *blacklisted_by, *firmware_package;
	const struct hazard *hazard;
	const char *better;
};

static char *answer(const struct fixture *fixture, const struct facts *facts,
		    enum boot_verdict verdict)
{
	struct device device = {
		.bus = (char *)"pci",
		.slot = (char *)"0000:00:1f.2",
		.name = (char *)"a card",
		.modalias = (char *)"pci:v00008086d00002922sv0sd0bc01sc06i01",
		.class = facts->is_network ? 0x020000 : 0x010601,
		.vendor = 0x8086,
		.device = 0x2922,
	};
	struct driver_match match = {
		.device = &device,
		.verdict = facts->verdict,
		.is_boot_critical = facts->is_critical,
		.is_required = true,
		.blacklisted_by = (char *)facts->blacklisted_by,
		.firmware_package = (char *)facts->firmware_package,
	};
	const struct driver_matches matches = {.item = &match, .count = 1};
	const struct hazards hazards = {.item = (struct hazard *)facts->hazard,
					.count = facts->hazard != NULL};
	const struct guest_kernel kernel = {.release = (char *)RELEASE};
	const struct boot_kernel about = {fixture->db, &kernel, &matches, &hazards, facts->better};
	_cleanup_boot_answer_ struct boot_answer out = {0};

	if (facts->is_network)
		device.modalias = (char *)"pci:v00008086d00002922sv0sd0bc02sc00i00";
	boot_answer_kernel(&out, &about);
	assert_int_equal(out.verdict, verdict);
	assert_int_equal(boot_answer_can_start(&hazards), verdict != BOOT_WILL_NOT);
	return boot_answer_sentence(&out);
}

static const struct hazard note = {HAZARD_NOTE, (char *)"a note", (char *)"read it"};
static const struct hazard risk = {HAZARD_RISK, (char *)"a risk", (char *)"look at it"};
static const struct hazard fatal = {HAZARD_FATAL, (char *)"VMD hides the disk",
				    (char *)"switch VMD off"};

static void each_row_leads_to_its_answer(void **state)
{
	static const struct {
		struct facts facts;
		enum boot_verdict verdict;
		const char *sentence;
	} rows[] = {
		{{.is_critical = true, .verdict = VERDICT_MODULE}, BOOT_WILL, "will boot"},
		{{.is_critical = true, .verdict = VERDICT_BUILTIN}, BOOT_WILL, "will boot"},
		{{.is_critical = true, .verdict = VERDICT_NO_DRIVER_NEEDED},
		 BOOT_WILL,
		 "will boot"},
		/* Its hazard says it. */
		{{.is_critical = true, .verdict = VERDICT_MISSING}, BOOT_WILL, "will boot"},
		{{.is_network = true, .is_critical = true, .verdict = VERDICT_MISSING},
		 BOOT_WILL,
		 "will boot"},
		{{.is_critical = true, .verdict = VERDICT_MISSING, .hazard = &fatal},
		 BOOT_WILL_NOT,
		 "will not boot because VMD hides the disk: switch VMD off"},
		{{.is_critical = true,
		  .verdict = VERDICT_MISSING,
		  .hazard = &fatal,
		  .better = "6.1.0-8-amd64"},
		 BOOT_WILL_NOT,
		 "will not boot because VMD hides the disk: switch VMD off; or let the image "
		 "start kernel 6.1.0-8-amd64, which can"},
		{{.is_critical = true, .verdict = VERDICT_MODULE, .hazard = &fatal},
		 BOOT_WILL_NOT,
		 "will not boot because VMD hides the disk: switch VMD off"},
		{{.is_critical = true, .verdict = VERDICT_MODULE, .hazard = &risk},
		 BOOT_WILL_BUT,
		 "will boot, but a risk: look at it"},
		{{.is_critical = true, .verdict = VERDICT_MODULE, .hazard = &note},
		 BOOT_WILL,
		 "will boot"},
		/* Not on the way to the root: a storage controller without a disk. */
		{{.verdict = VERDICT_MISSING}, BOOT_WILL, "will boot"},
		{{.is_network = true, .verdict = VERDICT_MODULE}, BOOT_WILL, "will boot"},
		{{.is_network = true, .verdict = VERDICT_MISSING},
		 BOOT_WILL_BUT,
		 "will boot, but there is no driver for 0000:00:1f.2 a card in kernel " RELEASE
		 ": install a kernel in the image that drives it"},
		{{.is_network = true, .verdict = VERDICT_BLACKLISTED},
		 BOOT_WILL_BUT,
		 "will boot, but the driver of 0000:00:1f.2 a card is blacklisted for "
		 "kernel " RELEASE ": take that setting out of the image"},
		{{.is_network = true,
		  .verdict = VERDICT_BLACKLISTED,
		  .blacklisted_by = "/etc/modprobe.d/x.conf line 3"},
		 BOOT_WILL_BUT,
		 "will boot, but the driver of 0000:00:1f.2 a card is blacklisted for "
		 "kernel " RELEASE ": take it out of /etc/modprobe.d/x.conf line 3 in the image"},
		{{.is_network = true, .verdict = VERDICT_FIRMWARE_MISSING},
		 BOOT_WILL_BUT,
		 "will boot, but there is no firmware for 0000:00:1f.2 a card, which needs it with "
		 "kernel " RELEASE ": install it in the image"},
		{{.is_network = true,
		  .verdict = VERDICT_FIRMWARE_MISSING,
		  .firmware_package = "firmware-realtek"},
		 BOOT_WILL_BUT,
		 "will boot, but there is no firmware for 0000:00:1f.2 a card, which needs it with "
		 "kernel " RELEASE ": install firmware-realtek in the image"},
		{{.is_network = true, .verdict = VERDICT_MISSING, .hazard = &fatal},
		 BOOT_WILL_NOT,
		 "will not boot because VMD hides the disk: switch VMD off"},
	};

	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *sentence = answer(*state, &rows[i].facts, rows[i].verdict);

		assert_string_equal(sentence, rows[i].sentence);
	}
}

static void a_guest_without_a_kernel_does_not_start(void **state)
{
	const struct boot_kernel about = {.db = ((struct fixture *)*state)->db};
	_cleanup_boot_answer_ struct boot_answer out = {0};
	_cleanup_free_ char *sentence = NULL;

	boot_answer_kernel(&out, &about);
	sentence = boot_answer_sentence(&out);
	assert_string_equal(sentence, "will not boot because the guest has no kernel that could "
				      "start: install one in the image");
}

static void the_worst_reason_is_the_verdict(void **state)
{
	static const enum boot_verdict by_weight[] = {BOOT_WILL, BOOT_WILL_BUT, BOOT_UNKNOWN,
						      BOOT_WILL_NOT};

	(void)state;
	for (size_t a = 0; a < array_length(by_weight); a++)
		for (size_t b = 0; b < array_length(by_weight); b++) {
			_cleanup_boot_answer_ struct boot_answer out = {0};

			boot_answer_add(&out, by_weight[a], NULL, "a");
			boot_answer_add(&out, by_weight[b], NULL, "b");
			assert_int_equal(out.verdict, by_weight[a > b ? a : b]);
		}
}

static void more_reasons_of_a_kind_are_counted(void **state)
{
	_cleanup_boot_answer_ struct boot_answer out = {0};
	_cleanup_free_ char *two = NULL, *three = NULL;

	(void)state;
	boot_answer_add(&out, BOOT_WILL_BUT, NULL, "it is slow");
	boot_answer_add(&out, BOOT_WILL_NOT, "buy one", "there is no %s", "disk");
	boot_answer_add(&out, BOOT_WILL_NOT, NULL, "it is off");
	two = boot_answer_sentence(&out);
	assert_string_equal(two, "will not boot because there is no disk, and 1 more reason: buy "
				 "one");
	boot_answer_add(&out, BOOT_WILL_NOT, NULL, "it is gone");
	three = boot_answer_sentence(&out);
	assert_non_null(strstr(three, "and 2 more reasons:"));
}

static void what_was_said_is_not_said_again(void **state)
{
	_cleanup_boot_answer_ struct boot_answer out = {0};

	(void)state;
	boot_answer_add(&out, BOOT_WILL_BUT, NULL, "it is slow");
	boot_answer_add(&out, BOOT_WILL_BUT, NULL, "it is slow");
	assert_int_equal(out.count, 1);
}

static void the_document_holds_verdict_sentence_and_reasons(void **state)
{
	_cleanup_boot_answer_ struct boot_answer out = {0};
	json_object *json, *reason;

	(void)state;
	boot_answer_add(&out, BOOT_UNKNOWN, "unpack it", "it is a stream");
	json = boot_answer_json(&out);
	assert_string_equal(json_object_get_string(json_object_object_get(json, "verdict")),
			    "unknown");
	assert_string_equal(json_object_get_string(json_object_object_get(json, "sentence")),
			    "it is not known whether this will boot: it is a stream: unpack it");
	reason = json_object_array_get_idx(json_object_object_get(json, "reasons"), 0);
	assert_string_equal(json_object_get_string(json_object_object_get(reason, "what")),
			    "it is a stream");
	assert_string_equal(json_object_get_string(json_object_object_get(reason, "advice")),
			    "unpack it");
	json_object_put(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_leads_to_its_answer),
		cmocka_unit_test(a_guest_without_a_kernel_does_not_start),
		cmocka_unit_test(the_worst_reason_is_the_verdict),
		cmocka_unit_test(more_reasons_of_a_kind_are_counted),
		cmocka_unit_test(what_was_said_is_not_said_again),
		cmocka_unit_test(the_document_holds_verdict_sentence_and_reasons),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
