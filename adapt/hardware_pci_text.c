// SPDX-License-Identifier: GPL-3.0-or-later
/* The configuration spaces that lspci -x printed. */
#include "adapt/hardware_pci_text.h"

#include <ctype.h>
#include <string.h>

#include "adapt/hardware_parts.h"
#include "base/scope.h"

enum {
	DEVICE_LIMIT = 65536,
	CONFIG_SPACE = 4096,
	HEADER = 64, /* PCI Local Bus 3.0, 6.1 */
	HEADER_TYPE = 0x0e,
	HEADER_TYPE_BRIDGE = 1,
	HEADER_TYPE_CARDBUS = 2,
	SECONDARY_BUS =
		0x19,    /* PCI-to-PCI Bridge 1.2, 3.2; CardBus bridges have theirs there too */
	LINE_SHOWN = 40, /* of a line that is complained about */
};

static bool take_hex(const char **at, size_t least, size_t most, unsigned int *value)
{
	size_t digits = strspn(*at, "0123456789abcdefABCDEF");

	if (digits < least || digits > most)
		return false;
	*value = (unsigned int)strtoul(*at, NULL, 16);
	*at += digits;
	return true;
}

static bool take_character(const char **at, char character)
{
	if (**at != character)
		return false;
	(*at)++;
	return true;
}

/* Behind a domain; lspci leaves out one that is the only one. */
static bool take_address(const char **at, struct pci_slot *slot)
{
	return take_hex(at, 2, 2, &slot->bus) && take_character(at, ':') &&
	       take_hex(at, 2, 2, &slot->device) && slot->device < 32 && take_character(at, '.') &&
	       take_hex(at, 1, 1, &slot->function) && slot->function < 8 && take_character(at, ' ');
}

bool pci_slot_parse(const char *line, struct pci_slot *slot, const char **rest)
{
	*rest = line;
	slot->domain = 0;
	if (take_address(rest, slot))
		return true;
	*rest = line;
	return take_hex(rest, 4, 5, &slot->domain) && take_character(rest, ':') &&
	       take_address(rest, slot);
}

char *pci_slot_format(const struct pci_slot *slot)
{
	return string_format("%04x:%02x:%02x.%x", slot->domain, slot->bus, slot->device,
			     slot->function);
}

/* What one device has shown so far. */
struct function {
	struct pci_slot slot;
	unsigned char header[HEADER];
	uint64_t seen; /* a bit for each byte of the header */
	bool is_named; /* in the text for libpci */
};

struct checker {
	struct pci_dump *dump;
	struct function now;
	size_t devices; /* 0: none yet, and now is nobody's */
	size_t bare;    /* of them, those without a byte */
	size_t line;
	struct error *err;
};

static int complain(const struct checker *checker, const char *what, const char *line)
{
	_cleanup_free_ char *shown = printable_copy(line);

	return error_set(checker->err, "line %zu: %s: \"%.*s\"", checker->line, what, LINE_SHOWN,
			 shown);
}

static void add_bridge(struct pci_dump *dump, const struct function *function)
{
	unsigned int type = function->header[HEADER_TYPE] & 0x7f;
	unsigned int secondary = function->header[SECONDARY_BUS];

	if (type != HEADER_TYPE_BRIDGE && type != HEADER_TYPE_CARDBUS)
		return;
	/* A bridge that nobody set up has bus 0 behind it. */
	if (secondary <= function->slot.bus)
		return;
	dump->bridge = reallocarray(dump->bridge, dump->bridge_count + 1, sizeof(*dump->bridge));
	if (!dump->bridge)
		abort();
	dump->bridge[dump->bridge_count++] = (struct pci_bridge){function->slot, secondary};
}

/* Either every device has its header, or none has any byte and this is no dump. */
static int finish_device(struct checker *checker)
{
	_cleanup_free_ char *slot = pci_slot_format(&checker->now.slot);

	if (checker->devices == 0)
		return 0;
	if (!checker->now.is_named) {
		checker->bare++;
		return 0;
	}
	if (~checker->now.seen)
		return error_set(checker->err,
				 "line %zu: the first %d bytes of %s are not all there: take the "
				 "whole output of lspci -x",
				 checker->line, HEADER, slot);
	add_bridge(checker->dump, &checker->now);
	return 0;
}

static int start_device(struct checker *checker, const struct pci_slot *slot)
{
	if (finish_device(checker) < 0)
		return -1;
	if (++checker->devices > DEVICE_LIMIT)
		return error_set(checker->err, "more than %d devices", DEVICE_LIMIT);
	checker->now = (struct function){.slot = *slot};
	return 0;
}

static int add_bytes(struct checker *checker, const char *line, unsigned int offset, const char *at)
{
	unsigned int byte;

	if (!checker->now.is_named) {
		_cleanup_free_ char *slot = pci_slot_format(&checker->now.slot);

		text_addf(&checker->dump->text, "%s device\n", slot);
		checker->now.is_named = true;
	}
	text_addf(&checker->dump->text, "%02x:", offset);
	for (; *at; offset++) {
		if (!take_character(&at, ' ') || !take_hex(&at, 2, 2, &byte))
			return complain(checker, "no bytes in hexadecimal, as lspci -x prints them",
					line);
		if (offset >= CONFIG_SPACE)
			return complain(checker, "beyond the 4096 bytes of a configuration space",
					line);
		if (offset < HEADER) {
			checker->now.header[offset] = (unsigned char)byte;
			checker->now.seen |= UINT64_C(1) << offset;
		}
		text_addf(&checker->dump->text, " %02x", byte);
	}
	text_add(&checker->dump->text, "\n");
	return 0;
}

static int check_line(struct checker *checker, char *line)
{
	struct pci_slot slot;
	const char *at = string_trim(line);
	const char *start = at;
	unsigned int offset;

	if (pci_slot_parse(start, &slot, &at))
		return start_device(checker, &slot);
	at = start;
	if (checker->devices == 0 || !take_hex(&at, 2, 8, &offset) || !take_character(&at, ':') ||
	    *at != ' ')
		return 0;
	return add_bytes(checker, start, offset, at);
}

static int check_lines(struct checker *checker, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		checker->line++;
		if (check_line(checker, line) < 0)
			return -1;
	}
	return finish_device(checker);
}

int pci_dump_check(const struct text *text, struct pci_dump *out, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(text_string(text));
	struct checker checker = {.dump = out, .err = err};

	if (strlen(copy) != text->length)
		return error_set(err, "holds bytes that are no text: it is not what lspci printed");
	if (check_lines(&checker, copy) < 0)
		return -1;
	if (out->text.length && checker.bare)
		return error_set(err,
				 "%zu of %zu devices have no bytes: take the whole output of lspci "
				 "-x, by itself",
				 checker.bare, checker.devices);
	if (checker.devices == 0)
		return error_set(err, "holds no device: it is not the output of lspci -nn or "
				      "lspci -x");
	return 0;
}

static int compare_bridges(const void *a, const void *b)
{
	const struct pci_bridge *left = a, *right = b;

	if (left->slot.domain != right->slot.domain)
		return left->slot.domain < right->slot.domain ? -1 : 1;
	return (int)left->secondary - (int)right->secondary;
}

void pci_dump_find_parents(const struct pci_dump *dump, struct hardware *hardware)
{
	if (dump->bridge_count == 0)
		return;
	qsort(dump->bridge, dump->bridge_count, sizeof(*dump->bridge), compare_bridges);
	for (size_t i = 0; i < hardware->device_count; i++) {
		_cleanup_free_ char *line = string_format("%s ", hardware->device[i].slot);
		const struct pci_bridge *bridge;
		struct pci_bridge key;
		const char *rest;

		if (!pci_slot_parse(line, &key.slot, &rest))
			continue;
		key.secondary = key.slot.bus;
		bridge = bsearch(&key, dump->bridge, dump->bridge_count, sizeof(*dump->bridge),
				 compare_bridges);
		if (bridge)
			hardware->device[i].parent = pci_slot_format(&bridge->slot);
	}
}

void pci_dump_release(struct pci_dump *dump)
{
	text_release(&dump->text);
	free(dump->bridge);
	*dump = (struct pci_dump){0};
}
