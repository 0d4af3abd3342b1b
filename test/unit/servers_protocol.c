/* SPDX-License-Identifier: MIT */
/* Client stubs and dispatch, as generated: what goes in at one end comes out at the other, and a
 * malformed message is refused. */
#include "efi_cmocka.h"
#include <protocol/sample.h>
#include <stdlib.h>
#include <string.h>

/* One page stands for the client's and the server's: the kernel copies the words sent. */
static struct limen_message_page page;
static unsigned sent_words;
static bool corrupt_answer;
static struct limen_request request;
static uint64_t deferred_tag;

static enum limen_error mix(struct limen_request *asked, uint64_t number, const char *name,
                            const void *data, size_t data_size, uint64_t last, uint64_t *sum,
                            char *text, uint8_t *blob, size_t *blob_size)
{
    assert_int_equal(asked->badge, 77);
    *sum = number + last;
    strcpy(text, name);
    strcat(text, "!");
    *blob_size = data_size < 9 ? data_size : 9;
    memcpy(blob, data, *blob_size);
    return number == 13 ? LIMEN_BUSY : LIMEN_OK;
}

static enum limen_error nothing(struct limen_request *asked)
{
    asked->deferred = true;
    return LIMEN_LIMIT; /* of no account, since the answer comes later */
}

static const struct sample_handlers handlers = {.mix = mix, .nothing = nothing};

struct limen_message_page *limen_message(void)
{
    return &page;
}

enum limen_error limen_transact(uint32_t slot, uint64_t tag, unsigned *words)
{
    uint64_t answer;

    assert_int_equal(slot, 5);
    sent_words = limen_tag_words(tag);
    request =
        (struct limen_request){.badge = 77, .label = limen_tag_label(tag), .words = sent_words};
    answer = sample_dispatch(&handlers, &request);
    *words = limen_tag_words(answer) - corrupt_answer;
    return (enum limen_error)limen_tag_label(answer);
}

static unsigned calls_again;

enum limen_error limen_transact_again(uint32_t slot, uint64_t tag, unsigned *words)
{
    calls_again++;
    return limen_transact(slot, tag, words);
}

enum limen_error limen_answer_deferred(uint32_t reply, uint64_t tag)
{
    assert_int_equal(reply, 9);
    deferred_tag = tag;
    return LIMEN_OK;
}

uint32_t limen_provided(void)
{
    return 5;
}

_Noreturn void limen_serve(struct limen_server *server, void (*notified)(uint64_t bits))
{
    (void)server;
    (void)notified;
    abort();
}

static void round_trip(void **state)
{
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    uint64_t sum;
    char text[SAMPLE_MIX_TEXT_MAX + 1];
    uint8_t blob[SAMPLE_MIX_BLOB_MAX];
    size_t blob_size;

    (void)state;
    assert_int_equal(sample_mix(5, 40, "limen", data, sizeof data, 2, &sum, text, blob, &blob_size),
                     LIMEN_OK);
    assert_int_equal(sent_words, 1 + 2 + 3 + 1);
    assert_int_equal(sum, 42);
    assert_string_equal(text, "limen!");
    assert_int_equal(blob_size, 9);
    assert_memory_equal(blob, data, 9);

    assert_int_equal(sample_mix(5, 0, "", data, 0, 0, &sum, text, blob, &blob_size), LIMEN_OK);
    assert_int_equal(sent_words, 4);
    assert_string_equal(text, "!");
    assert_int_equal(blob_size, 0);
}

static void too_long_is_not_sent(void **state)
{
    uint64_t sum;
    char text[SAMPLE_MIX_TEXT_MAX + 1];
    uint8_t blob[SAMPLE_MIX_BLOB_MAX], data[17] = {0};
    size_t blob_size;

    (void)state;
    sent_words = 99;
    assert_int_equal(sample_mix(5, 0, "six456", data, 1, 0, &sum, text, blob, &blob_size),
                     LIMEN_OUT_OF_RANGE);
    assert_int_equal(sample_mix(5, 0, "five5", data, 17, 0, &sum, text, blob, &blob_size),
                     LIMEN_OUT_OF_RANGE);
    assert_int_equal(sent_words, 99);
}

static void an_error_carries_no_words(void **state)
{
    uint64_t sum = 1;
    char text[SAMPLE_MIX_TEXT_MAX + 1] = "stale";
    uint8_t blob[SAMPLE_MIX_BLOB_MAX];
    size_t blob_size = 7;

    (void)state;
    assert_int_equal(sample_mix(5, 13, "x", "", 0, 0, &sum, text, blob, &blob_size), LIMEN_BUSY);
    assert_int_equal(sum, 0);
    assert_string_equal(text, "");
    assert_int_equal(blob_size, 0);
}

static void an_answer_cut_short_is_refused(void **state)
{
    uint64_t sum;
    char text[SAMPLE_MIX_TEXT_MAX + 1];
    uint8_t blob[SAMPLE_MIX_BLOB_MAX];
    size_t blob_size;

    (void)state;
    corrupt_answer = true;
    assert_int_equal(sample_mix(5, 1, "x", "abc", 3, 0, &sum, text, blob, &blob_size),
                     LIMEN_BAD_ARGUMENT);
    corrupt_answer = false;
}

static uint64_t dispatch(uint32_t label, unsigned words)
{
    request = (struct limen_request){.badge = 77, .label = label, .words = words};
    return limen_tag_label(sample_dispatch(&handlers, &request));
}

static void a_hostile_request_is_refused(void **state)
{
    (void)state;
    const uint64_t good[] = {1, 2, 0x6261, 0, 5};
    memcpy(page.words, good, sizeof good);
    assert_int_equal(dispatch(SAMPLE_MIX, 5), LIMEN_OK);
    for (unsigned words = 0; words < 5; words++) {
        memcpy(page.words, good, sizeof good);
        assert_int_equal(dispatch(SAMPLE_MIX, words), LIMEN_BAD_ARGUMENT);
    }
    for (uint64_t length = 6; length != 0; length <<= 7) { /* longer than declared; up to 2^63 */
        memcpy(page.words, good, sizeof good);
        page.words[1] = length;
        assert_int_equal(dispatch(SAMPLE_MIX, 5), LIMEN_BAD_ARGUMENT);
    }
    memcpy(page.words, good, sizeof good);
    page.words[3] = 16; /* as long as may be, but the words did not come */
    assert_int_equal(dispatch(SAMPLE_MIX, 5), LIMEN_BAD_ARGUMENT);
}

static void unknown_methods_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dispatch(SAMPLE_UNSERVED, 0), LIMEN_BAD_OPERATION);
    assert_int_equal(dispatch(SAMPLE_LABEL, 0), LIMEN_BAD_OPERATION);
    assert_int_equal(dispatch(SAMPLE_LABEL | 4, 0), LIMEN_BAD_OPERATION);
}

static void only_what_is_declared_so_is_called_again(void **state)
{
    (void)state;
    calls_again = 0;
    sample_nothing(5);
    assert_int_equal(calls_again, 0);
    assert_int_equal(sample_unserved(5), LIMEN_BAD_OPERATION);
    assert_int_equal(calls_again, 1);
}

static void answered_later(void **state)
{
    struct limen_reader reader;
    uint64_t sum;
    char text[SAMPLE_MIX_TEXT_MAX + 1];

    (void)state;
    assert_int_equal(sample_nothing(5), 0);
    assert_true(request.deferred);
    sample_nothing_answer(9, LIMEN_CANCELLED);
    assert_int_equal(deferred_tag, limen_tag(LIMEN_CANCELLED, 0, 0));
    sample_mix_answer(9, LIMEN_OK, 6, "later", "xyz", 3);
    reader = (struct limen_reader){page.words, limen_tag_words(deferred_tag), 0};
    assert_true(limen_get_word(&reader, &sum));
    assert_int_equal(sum, 6);
    assert_true(limen_get_string(&reader, text, SAMPLE_MIX_TEXT_MAX));
    assert_string_equal(text, "later");
    sample_mix_answer(9, LIMEN_OK, 6, "longer than twenty bytes", "", 0);
    assert_int_equal(deferred_tag, limen_tag(LIMEN_OUT_OF_RANGE, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(too_long_is_not_sent),
        cmocka_unit_test(an_error_carries_no_words),
        cmocka_unit_test(an_answer_cut_short_is_refused),
        cmocka_unit_test(a_hostile_request_is_refused),
        cmocka_unit_test(unknown_methods_are_refused),
        cmocka_unit_test(only_what_is_declared_so_is_called_again),
        cmocka_unit_test(answered_later),
    };
    return cmocka_run_group_tests_name("servers: protocols", tests, NULL, NULL);
}
