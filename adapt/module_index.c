// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_index.h"

#include <string.h>

#include "adapt/module_index_child.h"
#include "adapt/module_process.h"
#include "base/scope.h"

static void take_names(json_object *list, struct strings *out)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		strings_add_once(out, json_object_get_string(json_object_array_get_idx(list, i)));
}

static int compare_answers(const void *a, const void *b)
{
	return strcmp(((const struct module_answer *)a)->question,
		      ((const struct module_answer *)b)->question);
}

static int compare_facts(const void *a, const void *b)
{
	return strcmp(((const struct module_fact *)a)->name, ((const struct module_fact *)b)->name);
}

static void *new_array(int count, size_t size)
{
	void *array = calloc(count > 0 ? (size_t)count : 1, size);

	if (!array)
		abort();
	return array;
}

static void take_answers(json_object *answers, struct module_index *index)
{
	index->answer = new_array(json_object_object_length(answers), sizeof(*index->answer));
	json_object_object_foreach(answers, question, names)
	{
		struct module_answer *answer = &index->answer[index->answer_count++];

		answer->question = string_copy(question);
		take_names(names, &answer->modules);
	}
	qsort(index->answer, index->answer_count, sizeof(*index->answer), compare_answers);
}

static void take_facts(json_object *modules, struct module_index *index)
{
	index->fact = new_array(json_object_object_length(modules), sizeof(*index->fact));
	json_object_object_foreach(modules, name, value)
	{
		struct module_fact *fact = &index->fact[index->fact_count++];

		fact->name = string_copy(name);
		fact->file =
			string_copy(json_object_get_string(json_object_object_get(value, "file")));
		fact->is_builtin =
			json_object_get_boolean(json_object_object_get(value, "builtin"));
		take_names(json_object_object_get(value, "needs"), &fact->needs);
	}
	qsort(index->fact, index->fact_count, sizeof(*index->fact), compare_facts);
}

static int take_document(json_object *document, struct module_index *index, struct error *err)
{
	json_object *answers = NULL, *modules = NULL;

	if (!json_object_object_get_ex(document, "answers", &answers) ||
	    !json_object_object_get_ex(document, "modules", &modules))
		return error_set(err, "its module index is damaged (it gave no answer)");
	take_answers(answers, index);
	take_facts(modules, index);
	return 0;
}

int module_index_ask(const struct guest *guest, const char *release,
		     const struct strings *questions, struct module_index *out, struct error *err)
{
	json_object *document = NULL;
	int result;

	*out = (struct module_index){0};
	if (module_process_ask(guest, release, questions, module_index_answer, &document, err) < 0)
		return -1;
	result = take_document(document, out, err);
	json_object_put(document);
	return result;
}

const struct strings *module_index_find(const struct module_index *index, const char *question)
{
	struct module_answer key = {.question = (char *)question};
	const struct module_answer *answer = bsearch(&key, index->answer, index->answer_count,
						     sizeof(*index->answer), compare_answers);

	return answer ? &answer->modules : NULL;
}

const struct module_fact *module_index_fact(const struct module_index *index, const char *name)
{
	struct module_fact key = {.name = (char *)name};

	return bsearch(&key, index->fact, index->fact_count, sizeof(*index->fact), compare_facts);
}

void module_index_release(struct module_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->answer_count; i++) {
		free(index->answer[i].question);
		strings_release(&index->answer[i].modules);
	}
	for (size_t i = 0; i < index->fact_count; i++) {
		free(index->fact[i].name);
		free(index->fact[i].file);
		strings_release(&index->fact[i].needs);
	}
	free(index->answer);
	free(index->fact);
	*index = (struct module_index){0};
}
