// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/report.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	BAR_WIDTH = 30,
	LEFT_LIMIT = 9999 * 60, /* seconds; more is no estimate */
};

static const struct {
	const char *name;
	enum progress_mode mode;
} modes[] = {
	{"bar", PROGRESS_BAR},
	{"json", PROGRESS_JSON},
	{"none", PROGRESS_NONE},
};

static int progress_mode(const char *name, enum progress_mode *out, struct error *err)
{
	if (!name || strcmp(name, "auto") == 0) {
		*out = isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_LINES;
		return 0;
	}
	for (size_t i = 0; i < array_length(modes); i++) {
		if (strcmp(modes[i].name, name) == 0) {
			*out = modes[i].mode;
			return 0;
		}
	}
	return error_set(err, "--progress %s: the modes are auto, bar, json and none", name);
}

int output_open(struct output *output, const char *log, const char *mode, bool json,
		struct error *err)
{
	*output = (struct output){.json = json};
	if (progress_mode(mode, &output->progress, err) < 0)
		return -1;
	if (!log)
		return 0;
	output->log = fopen(log, "ae");
	if (!output->log)
		return error_sys(err, errno, "open log %s", log);
	setvbuf(output->log, NULL, _IOLBF, 0);
	return 0;
}

void output_close(struct output *output)
{
	if (output->log)
		fclose(output->log);
	output->log = NULL;
}

/*
 * What an image or a guest says of itself reaches the terminal through here: no escape sequence of
 * theirs may. Control characters (also C1 in UTF-8) become question marks; heap.
 */
static char *printable(const char *text)
{
	char *copy = string_copy(text);

	for (unsigned char *c = (unsigned char *)copy; *c; c++) {
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			*c = '?';
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
	}
	return copy;
}

static void to_log(struct output *output, const char *text)
{
	char stamp[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (!output->log)
		return;
	if (gmtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(output->log, "%s %s%s", stamp, text, has_suffix(text, "\n") ? "" : "\n");
}

/* The bar's line ends before anything else is written. */
static void end_bar(struct output *output)
{
	if (output->bar_is_drawn)
		fputc('\n', stderr);
	output->bar_is_drawn = false;
}

void output_say(struct output *output, const char *format, ...)
{
	_cleanup_text_ struct text text = {0};
	_cleanup_free_ char *line = NULL;
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	line = printable(text_string(&text));
	end_bar(output);
	if (!output->json)
		fprintf(stderr, "%s\n", line);
	to_log(output, line);
}

void output_result(struct output *output, const char *text)
{
	_cleanup_free_ char *shown = printable(text);

	end_bar(output);
	fputs(shown, stdout);
	fflush(stdout);
	to_log(output, shown);
}

void output_json(struct output *output, json_object *object)
{
	_cleanup_free_ char *text = string_format(
		"%s\n", json_object_to_json_string_ext(
				object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));

	output_result(output, text);
	json_object_put(object);
}

void output_error(struct output *output, const char *text)
{
	_cleanup_free_ char *shown = printable(text);
	_cleanup_free_ char *line = string_format("v2p: %s", shown);

	end_bar(output);
	fprintf(stderr, "%s\n", line);
	to_log(output, line);
}

static const char *const phases[] = {
	[WRITE_COPYING] = "written",
	[WRITE_READING_BACK] = "read back",
};

static void render_left(const struct write_progress *p, double seconds, struct text *out)
{
	double part = p->total ? (double)p->done / (double)p->total : 1;
	double estimate = part > 0 ? seconds / part - seconds : 0;
	int left = estimate < LEFT_LIMIT ? (int)estimate : LEFT_LIMIT;

	text_addf(out, "  %d:%02d left", left / 60, left % 60);
}

/* Of a stream nobody knows how much is left. */
static void render_progress(const struct write_progress *p, double seconds, struct text *out)
{
	_cleanup_free_ char *done = size_format(p->done);
	_cleanup_free_ char *total = size_format(p->total);
	double rate = seconds > 0 ? (double)p->done / 1048576 / seconds : 0;

	if (p->total)
		text_addf(out, "%3.0f %%  %s of %s", (double)p->done / (double)p->total * 100, done,
			  total);
	else
		text_add(out, done);
	text_addf(out, " %s  %.1f MiB/s", phases[p->phase], rate);
	if (p->total)
		render_left(p, seconds, out);
}

static void draw_bar(const struct write_progress *p, const char *numbers)
{
	int filled = p->total ? (int)((double)p->done / (double)p->total * BAR_WIDTH) : 0;

	fprintf(stderr, "\r  [%.*s%*s] %s  ", filled,
		"==============================", BAR_WIDTH - filled, "", numbers);
	fflush(stderr);
}

/* How much is to be read back is known only when that begins; an end is told once. */
static bool is_news(const struct output *output, const struct write_progress *progress)
{
	double interval = output->progress == PROGRESS_LINES ? 2 : 0.2;

	if (progress->phase == WRITE_READING_BACK && progress->total == 0)
		return false;
	if (progress->done == progress->total)
		return progress->phase != output->phase || progress->done != output->last_done;
	return progress->seconds - output->last_progress >= interval;
}

void output_progress(void *context, const struct write_progress *progress)
{
	struct output *output = context;
	_cleanup_text_ struct text numbers = {0};

	if (output->progress == PROGRESS_NONE || !is_news(output, progress))
		return;
	if (progress->phase != output->phase)
		output->phase_start = progress->phase == WRITE_COPYING ? 0 : output->last_progress;
	output->phase = progress->phase;
	output->last_progress = progress->seconds;
	output->last_done = progress->done;
	if (output->progress == PROGRESS_JSON) {
		fprintf(stderr,
			"{\"phase\":\"%s\",\"done\":%llu,\"total\":%llu,\"written\":%llu,"
			"\"seconds\":%.3f}\n",
			phases[progress->phase], (unsigned long long)progress->done,
			(unsigned long long)progress->total, (unsigned long long)progress->written,
			progress->seconds);
		return;
	}
	render_progress(progress, progress->seconds - output->phase_start, &numbers);
	if (output->progress == PROGRESS_LINES) {
		fprintf(stderr, "  %s\n", text_string(&numbers));
		return;
	}
	draw_bar(progress, text_string(&numbers));
	output->bar_is_drawn = true;
}
