// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "cli/profile.h"

static void print_profile(const struct profile *profile, bool json, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (!json) {
		profile_render(profile, &text);
		output_result(output, text_string(&text));
		return;
	}
	output_json(output, profile_json(profile));
}

enum exit_status command_profile(const struct options *options, struct output *output,
				 struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};
	_cleanup_profile_ struct profile profile = {0};
	const char *value;

	if (options->arguments.count == 0) {
		error_set(err, "profile wants a file, a directory or a URL");
		return EXIT_USAGE;
	}
	if (adaptation_hardware(options, &hardware, err) < 0 ||
	    profile_choose(&options->arguments, &hardware, &profile, err) < 0 ||
	    adaptation_check_skip(profile.skip, err) < 0)
		return EXIT_REFUSED;
	if (!options->get) {
		print_profile(&profile, options->json, output);
		return EXIT_DONE;
	}
	value = profile_get(&profile, options->get);
	if (!value) {
		error_set(err, "profiles have no key %s: name it as after.action", options->get);
		return EXIT_USAGE;
	}
	output_result(output, value);
	output_result(output, "\n");
	return EXIT_DONE;
}
