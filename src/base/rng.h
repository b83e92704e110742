/* Random numbers that are the same on every machine: xoshiro256++ seeded by splitmix64
 * (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021).
 *
 * One generator per stream of decisions: rng_init(&r, seed, stream) gives independent streams for
 * one seed, so that work split over threads draws the same numbers at any thread count. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *r, uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *r);

/* A whole number in [0, bound), without bias; bound > 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);

/* A real number in [0, 1) with 53 random bits. */
double rng_real(struct rng *r);

/* A standard normal variate (Marsaglia's polar method). */
double rng_normal(struct rng *r);

/* Puts the n numbers of `a` into random order (Fisher-Yates). */
void rng_shuffle(struct rng *r, uint32_t *a, size_t n);

#endif
