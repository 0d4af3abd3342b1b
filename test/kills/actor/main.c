/* SPDX-License-Identifier: MIT */
#include "roles.h"

/* Knuth's linear congruential generator */
uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % limit;
}

void ask_for_echo(const char *service, uint64_t first, unsigned words)
{
    uint64_t *word = limen_message()->words;
    unsigned count;

    for (unsigned i = 0; i < words; i++)
        word[i] = first + i;
    limen_must(service,
               limen_transact_again(limen_lookup(service), limen_tag(0, words, 0), &count));
    limen_assert(count == words);
    for (unsigned i = 0; i < words; i++)
        limen_assert(word[i] == first + i + 1);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*play)(void);
    } roles[] = {
        {"echo", echo},       {"ledger", ledger},         {"passive", passive}, {"ticker", ticker},
        {"relay", relay},     {"caller", caller},         {"scribe", scribe},   {"asker", asker},
        {"spender", spender}, {"bookkeeper", bookkeeper}, {"reaper", reaper},
    };
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].name, limen_environment()->name) == 0)
            roles[i].play();
    return 0;
}
