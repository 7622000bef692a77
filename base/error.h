// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * error: the reason why something could not be done, as one sentence.
 *
 * A function that can fail takes a `struct error *err` last, returns 0 or -1, and on -1 has
 * written the cause into err. The failing line calls error_set() or error_sys(); each caller may
 * prepend what it was doing with error_in(). The result reads "restore a.qcow2 to /dev/sda: read
 * cluster at offset 65536: unexpected end of file": lower case, objects and byte offsets named,
 * no full stop.
 *
 * err may be NULL when the caller does not care. An error is owned by whoever declared it:
 * `_cleanup_error_ struct error err = {0};`. Not shared between threads.
 */
#pragma once

struct error {
	char *text; /* NULL: no error, or out of memory */
	int number; /* the errno that caused it, 0 when none did */
};

/* Each returns -1, so that a failing line reads `return error_set(err, …)`. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_set(), with `: strerror(number)` appended. number is an errno value, not negated. */
int error_sys(struct error *err, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends "context: " to the error that err already holds. */
int error_in(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence; never NULL. */
const char *error_text(const struct error *err);

/* Moves the error of from into to (which is released first); from is empty afterwards. */
void error_move(struct error *to, struct error *from);

/* Accepts NULL, zeroed and already released errors. */
void error_release(struct error *err);

#define _cleanup_error_ __attribute__((cleanup(error_release)))
