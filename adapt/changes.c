// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/step.h"
#include "base/diff.h"
#include "base/scope.h"

static struct change *add(struct changes *changes, const struct change *change)
{
	changes->item = reallocarray(changes->item, changes->count + 1, sizeof(*changes->item));
	if (!changes->item)
		abort();
	changes->item[changes->count] = *change;
	return &changes->item[changes->count++];
}

static void change_release(struct change *change)
{
	free(change->path);
	free(change->why);
	free(change->content);
	free(change->diff);
	free(change->input);
	strings_release(&change->argv);
}

static void drop(struct changes *changes, struct change *change)
{
	size_t index = (size_t)(change - changes->item);

	change_release(change);
	changes->count--;
	memmove(change, change + 1, (changes->count - index) * sizeof(*change));
}

static struct change *find_file(const struct changes *changes, const char *path)
{
	for (size_t i = changes->count; i-- > 0;) {
		struct change *change = &changes->item[i];

		if ((change->kind == CHANGE_WRITE || change->kind == CHANGE_REMOVE) &&
		    strcmp(change->path, path) == 0)
			return change;
	}
	return NULL;
}

/* A text that a diff can show and a C string can hold. */
static int read_text(const struct guest *guest, const char *path, struct text *out,
		     struct error *err)
{
	int r = guest_read(guest, path, out, err);

	if (r > 0 && strlen(text_string(out)) != out->length)
		return error_set(err, "%s in the guest is not a text file", path);
	return r;
}

static char *diff_of(const char *path, const char *before, const char *after)
{
	struct text diff = {0};

	diff_unified(path, before, after, &diff);
	return text_take(&diff);
}

static void replace_string(char **string, char *with)
{
	free(*string);
	*string = with;
}

/* "a" and "a; b": both clauses are why the file is as it is. */
static void add_reason(struct change *change, const char *why)
{
	if (!strstr(change->why, why))
		replace_string(&change->why, string_format("%s; %s", change->why, why));
}

int changes_write(struct changes *changes, const struct guest *guest, const char *step,
		  const char *path, const char *content, const char *why, struct error *err)
{
	_cleanup_text_ struct text before = {0};
	struct change *earlier = find_file(changes, path);
	int had = read_text(guest, path, &before, err);

	if (had < 0)
		return -1;
	if (had && strcmp(text_string(&before), content) == 0) {
		if (earlier)
			drop(changes, earlier);
		return 0;
	}
	if (!earlier) {
		earlier = add(changes, &(struct change){.step = step,
							.path = string_copy(path),
							.why = string_copy(why)});
	} else if (earlier->kind == CHANGE_WRITE && strcmp(earlier->content, content) == 0) {
		return 0;
	} else {
		add_reason(earlier, why);
	}
	earlier->kind = CHANGE_WRITE;
	replace_string(&earlier->content, string_copy(content));
	replace_string(&earlier->diff, diff_of(path, text_string(&before), content));
	return 0;
}

int changes_remove(struct changes *changes, const struct guest *guest, const char *step,
		   const char *path, const char *why, struct error *err)
{
	_cleanup_text_ struct text before = {0};
	struct change *earlier = find_file(changes, path);
	struct stat st;

	if (guest_stat(guest, path, 0, &st) < 0) {
		if (earlier)
			drop(changes, earlier);
		return 0;
	}
	if (S_ISREG(st.st_mode) && guest_read(guest, path, &before, err) < 0)
		return -1;
	if (!earlier)
		earlier = add(changes, &(struct change){.step = step,
							.path = string_copy(path),
							.why = string_copy(why)});
	else if (earlier->kind == CHANGE_WRITE)
		add_reason(earlier, why);
	earlier->kind = CHANGE_REMOVE;
	replace_string(&earlier->content, NULL);
	replace_string(&earlier->diff, strlen(text_string(&before)) == before.length
					       ? diff_of(path, text_string(&before), "")
					       : string_copy(""));
	return 0;
}

int changes_read(const struct changes *changes, const struct guest *guest, const char *path,
		 struct text *out, struct error *err)
{
	const struct change *change = find_file(changes, path);

	if (!change)
		return guest_read(guest, path, out, err);
	if (change->kind == CHANGE_REMOVE)
		return 0;
	text_add(out, change->content);
	return 1;
}

struct change *changes_run(struct changes *changes, const char *step, const char *what,
			   const char *why, const char *const *argv)
{
	struct change change = {.kind = CHANGE_RUN,
				.step = step,
				.path = string_copy(what),
				.why = string_copy(why)};

	for (; *argv; argv++)
		strings_add(&change.argv, *argv);
	return add(changes, &change);
}

struct change *changes_call(struct changes *changes, const char *step, const char *what,
			    const char *why,
			    int (*call)(struct adaptation *, const struct change *, struct error *))
{
	return add(changes, &(struct change){.kind = CHANGE_CALL,
					     .step = step,
					     .path = string_copy(what),
					     .why = string_copy(why),
					     .call = call});
}

void changes_release(struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		change_release(&changes->item[i]);
	free(changes->item);
	*changes = (struct changes){0};
}

static int apply(const struct change *change, struct adaptation *adaptation, struct error *err)
{
	struct guest *guest = adaptation->guest;

	switch (change->kind) {
	case CHANGE_WRITE:
		return guest_write(guest, change->path, change->content, strlen(change->content),
				   err);
	case CHANGE_REMOVE:
		return guest_remove(guest, change->path, err);
	case CHANGE_RUN:
		return guest_run(guest, change->permission, (const char *const *)change->argv.item,
				 change->input, 0, NULL, err);
	case CHANGE_CALL:
		return change->call(adaptation, change, err);
	}
	return error_set(err, "a change of an unknown kind");
}

int changes_apply(const struct changes *changes, struct adaptation *adaptation, struct error *err)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->item[i];
		int r;

		if (adaptation->stop && atomic_load(adaptation->stop))
			return error_set(err,
					 "stopped as asked, before %s: %s; running it again does "
					 "the rest",
					 change->step, change->path);
		if (adaptation->progress)
			adaptation->progress(adaptation->progress_context, change);
		r = apply(change, adaptation, err);
		if (r < 0)
			return error_in(err, "%s", change->step);
		if (r > 0)
			continue;
		report_change(adaptation->report, change->step, change->path, change->why,
			      change->diff);
	}
	return 0;
}
