// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/boot_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/scope.h"

/* How much a reason weighs: nothing outweighs a machine that does not start. */
static const int weights[] = {
	[BOOT_WILL] = 0,
	[BOOT_WILL_BUT] = 1,
	[BOOT_UNKNOWN] = 2,
	[BOOT_WILL_NOT] = 3,
};

static const enum boot_verdict hazard_verdicts[] = {
	[HAZARD_NOTE] = BOOT_WILL,
	[HAZARD_RISK] = BOOT_WILL_BUT,
	[HAZARD_FATAL] = BOOT_WILL_NOT,
};

/*
 * What a device makes of the answer that the boot does not depend on; what it depends on is a
 * hazard where it lacks something (hazards.h). Those count that are missed when nobody sits before
 * the machine.
 */
static const struct rule {
	const char *role; /* of drivers-db */
	enum verdict verdict;
	const char *before, *between; /* the device and the kernel's release */
	const char *advice;
} rules[] = {
	{"network", VERDICT_MISSING, "there is no driver for ", " in kernel ",
	 "install a kernel in the image that drives it"},
	{"network", VERDICT_BLACKLISTED, "the driver of ", " is blacklisted for kernel ",
	 "take that setting out of the image"},
	{"network", VERDICT_FIRMWARE_MISSING, "there is no firmware for ",
	 ", which needs it with kernel ", "install it in the image"},
};

static bool has_reason(const struct boot_answer *answer, const char *what)
{
	for (size_t i = 0; i < answer->count; i++)
		if (strcmp(answer->reason[i].what, what) == 0)
			return true;
	return false;
}

void boot_answer_add(struct boot_answer *answer, enum boot_verdict verdict, const char *advice,
		     const char *what, ...)
{
	_cleanup_text_ struct text text = {0};
	va_list args;

	va_start(args, what);
	text_vaddf(&text, what, args);
	va_end(args);
	if (has_reason(answer, text_string(&text)))
		return;
	answer->reason = reallocarray(answer->reason, answer->count + 1, sizeof(*answer->reason));
	if (!answer->reason)
		abort();
	answer->reason[answer->count++] = (struct boot_reason){
		.verdict = verdict,
		.what = text_take(&text),
		.advice = advice ? string_copy(advice) : NULL,
	};
	if (weights[verdict] > weights[answer->verdict])
		answer->verdict = verdict;
}

static const struct rule *find_rule(const struct boot_kernel *facts,
				    const struct driver_match *match)
{
	const char *role = drivers_db_role(facts->db, match->device);

	for (size_t i = 0; !match->is_boot_critical && i < array_length(rules); i++)
		if (rules[i].verdict == match->verdict && strcmp(rules[i].role, role) == 0)
			return &rules[i];
	return NULL;
}

static char *device_label(const struct device *device)
{
	return string_format("%s %s", device->slot ? device->slot : device->bus,
			     device->name ? device->name : string_or_dash(device->modalias));
}

static char *device_advice(const struct rule *rule, const struct driver_match *match)
{
	if (match->verdict == VERDICT_BLACKLISTED && match->blacklisted_by)
		return string_format("take it out of %s in the image", match->blacklisted_by);
	if (match->verdict == VERDICT_FIRMWARE_MISSING && match->firmware_package)
		return string_format("install %s in the image", match->firmware_package);
	return string_copy(rule->advice);
}

static void add_device(struct boot_answer *answer, const struct boot_kernel *facts,
		       const struct driver_match *match)
{
	const struct rule *rule = find_rule(facts, match);
	_cleanup_free_ char *label = device_label(match->device);
	_cleanup_free_ char *advice = NULL;

	if (!rule)
		return;
	advice = device_advice(rule, match);
	boot_answer_add(answer, BOOT_WILL_BUT, advice, "%s%s%s%s", rule->before, label,
			rule->between, facts->kernel->release);
}

static void add_hazard(struct boot_answer *answer, const struct boot_kernel *facts,
		       const struct hazard *hazard)
{
	_cleanup_free_ char *advice = NULL;

	if (hazard->severity == HAZARD_FATAL && facts->better)
		advice = string_format("%s; or let the image start kernel %s, which can",
				       hazard->advice, facts->better);
	boot_answer_add(answer, hazard_verdicts[hazard->severity], advice ? advice : hazard->advice,
			"%s", hazard->what);
}

void boot_answer_kernel(struct boot_answer *answer, const struct boot_kernel *facts)
{
	if (!facts->kernel) {
		boot_answer_add(answer, BOOT_WILL_NOT, "install one in the image",
				"the guest has no kernel that could start");
		return;
	}
	for (size_t i = 0; i < facts->hazards->count; i++)
		add_hazard(answer, facts, &facts->hazards->item[i]);
	for (size_t i = 0; i < facts->matches->count; i++)
		add_device(answer, facts, &facts->matches->item[i]);
}

bool boot_answer_can_start(const struct hazards *hazards)
{
	/* Worst first. */
	return hazards->count == 0 || hazards->item[0].severity != HAZARD_FATAL;
}

const char *boot_verdict_name(enum boot_verdict verdict)
{
	static const char *const names[] = {
		[BOOT_WILL] = "will-boot",
		[BOOT_WILL_BUT] = "will-boot-but",
		[BOOT_WILL_NOT] = "will-not-boot",
		[BOOT_UNKNOWN] = "unknown",
	};

	return names[verdict];
}

static const char *beginning(enum boot_verdict verdict)
{
	static const char *const words[] = {
		[BOOT_WILL] = "will boot",
		[BOOT_WILL_BUT] = "will boot, but ",
		[BOOT_WILL_NOT] = "will not boot because ",
		[BOOT_UNKNOWN] = "it is not known whether this will boot: ",
	};

	return words[verdict];
}

/* The first reason of the verdict's kind in full, the others as a number: they stand above. */
char *boot_answer_sentence(const struct boot_answer *answer)
{
	const struct boot_reason *first = NULL;
	struct text out = {0};
	size_t more = 0;

	text_add(&out, beginning(answer->verdict));
	for (size_t i = 0; i < answer->count; i++) {
		if (answer->reason[i].verdict != answer->verdict)
			continue;
		more += first != NULL;
		first = first ? first : &answer->reason[i];
	}
	if (!first || answer->verdict == BOOT_WILL)
		return text_take(&out);
	text_add(&out, first->what);
	if (more)
		text_addf(&out, ", and %zu more reason%s", more, more > 1 ? "s" : "");
	if (first->advice)
		text_addf(&out, ": %s", first->advice);
	return text_take(&out);
}

static json_object *reason_json(const struct boot_reason *reason)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "verdict",
			       json_object_new_string(boot_verdict_name(reason->verdict)));
	json_object_object_add(object, "what", json_object_new_string(reason->what));
	json_object_object_add(object, "advice", json_string_or_null(reason->advice));
	return object;
}

json_object *boot_answer_json(const struct boot_answer *answer)
{
	_cleanup_free_ char *sentence = boot_answer_sentence(answer);
	json_object *object = json_object_new_object(), *reasons = json_object_new_array();

	for (size_t i = 0; i < answer->count; i++)
		json_object_array_add(reasons, reason_json(&answer->reason[i]));
	json_object_object_add(object, "verdict",
			       json_object_new_string(boot_verdict_name(answer->verdict)));
	json_object_object_add(object, "sentence", json_object_new_string(sentence));
	json_object_object_add(object, "reasons", reasons);
	return object;
}

void boot_answer_release(struct boot_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		free(answer->reason[i].what);
		free(answer->reason[i].advice);
	}
	free(answer->reason);
	*answer = (struct boot_answer){0};
}
