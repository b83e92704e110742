/* See synth_films.h. A title is a pattern whose letters stand for word lists; nouns come from the
 * film's own genre more often than not, so that a horror film sounds like one. When a title is
 * taken several times in a row the film becomes a sequel: "The Silent Harbor 2". */
#include "data/synth_films.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { GENRE_NOUNS = 10, TITLE_MAX = 160, TRIES = 6 };

static const struct {
    const char *name, *noun[GENRE_NOUNS];
} genres[FILM_GENRES] = {
    {"Drama",
     {"Inheritance", "Silence", "Confession", "Reunion", "Portrait", "Verdict", "Father",
      "Distance", "Farewell", "Apology"}},
    {"Comedy",
     {"Wedding", "Parrot", "Neighbor", "Honeymoon", "Mix-Up", "Vacation", "Butler", "Landlord",
      "Picnic", "Soufflé"}},
    {"Thriller",
     {"Witness", "Alibi", "Informant", "Double", "Cipher", "Getaway", "Hostage", "Deadline",
      "Blackout", "Trap"}},
    {"Action",
     {"Pursuit", "Bullet", "Commando", "Showdown", "Vengeance", "Strike", "Convoy", "Fury", "Blade",
      "Outpost"}},
    {"Romance",
     {"Kiss", "Valentine", "Heart", "Bouquet", "Serenade", "Waltz", "Bride", "Rose", "Longing",
      "Letter"}},
    {"Horror",
     {"Cellar", "Whisper", "Crypt", "Scarecrow", "Possession", "Coven", "Grave", "Nightmare",
      "Attic", "Howl"}},
    {"Sci-Fi",
     {"Orbit", "Signal", "Android", "Colony", "Nebula", "Paradox", "Starship", "Eclipse", "Machine",
      "Frequency"}},
    {"Crime",
     {"Heist", "Syndicate", "Detective", "Ransom", "Ledger", "Accomplice", "Precinct", "Jewel",
      "Forger", "Racket"}},
    {"Adventure",
     {"Voyage", "Treasure", "Expedition", "Jungle", "Map", "Caravan", "Summit", "Compass",
      "Frontier", "Raft"}},
    {"Fantasy",
     {"Dragon", "Enchantress", "Kingdom", "Spell", "Oracle", "Unicorn", "Throne", "Phoenix",
      "Sorcerer", "Amulet"}},
    {"Mystery",
     {"Clue", "Riddle", "Vanishing", "Keyhole", "Secret", "Masquerade", "Puzzle", "Manuscript",
      "Fog", "Stranger"}},
    {"Animation",
     {"Fox", "Teapot", "Snowman", "Robot", "Mouse", "Balloon", "Penguin", "Toymaker", "Puppet",
      "Hedgehog"}},
    {"Family",
     {"Puppy", "Treehouse", "Holiday", "Grandmother", "Pony", "Campfire", "Birthday", "Kite",
      "Summer Camp", "Sleigh"}},
    {"Documentary",
     {"Archive", "Glacier", "Orchestra", "Harvest", "Migration", "Reef", "Railway", "Marathon",
      "Kitchen", "Beehive"}},
    {"War",
     {"Battalion", "Trench", "Armistice", "Bombardier", "Ceasefire", "Regiment", "Siege",
      "Lieutenant", "Submarine", "Flag"}},
    {"Musical",
     {"Chorus", "Ballad", "Rhapsody", "Cabaret", "Tango", "Encore", "Melody", "Spotlight",
      "Trumpet", "Lullaby"}},
    {"Western",
     {"Saddle", "Sheriff", "Outlaw", "Canyon", "Stagecoach", "Revolver", "Mustang", "Saloon",
      "Bounty", "Prairie"}},
    {"Film-Noir",
     {"Shadow", "Cigarette", "Nightclub", "Rain", "Dame", "Alley", "Gunman", "Streetlight", "Lie",
      "Midnight"}},
};

static const char *const adjectives[] = {
    "Silent",    "Last",     "Crimson",  "Hidden",    "Broken",   "Distant",  "Golden", "Hollow",
    "Paper",     "Velvet",   "Burning",  "Gentle",    "Restless", "Northern", "Winter", "Lonely",
    "Final",     "Quiet",    "Scarlet",  "Wandering", "Borrowed", "Endless",  "Savage", "Tender",
    "Reckless",  "Second",   "Frozen",   "Honest",    "Sleeping", "Painted",  "Glass",  "Iron",
    "Forgotten", "Electric", "Ordinary", "Invisible", "Perfect",  "Wild",     "Blue",   "Lost"};
static const char *const nouns[] = {
    "River",   "Harbor",   "Garden",  "Orchard",    "Mirror",   "Train",   "Lantern", "Bridge",
    "Island",  "Road",     "House",   "Window",     "Clock",    "Promise", "Season",  "Valley",
    "Station", "Crossing", "Horizon", "Lighthouse", "Circus",   "Balcony", "Tide",    "Ocean",
    "Hotel",   "Library",  "Meadow",  "Ferry",      "Carousel", "Storm"};
static const char *const places[] = {"Lisbon",    "Verona",  "Tangier",   "Odessa",   "Havana",
                                     "Kyoto",     "Trieste", "Marseille", "Galway",   "Bergen",
                                     "Cairo",     "Quebec",  "Vienna",    "Salzburg", "Nairobi",
                                     "Samarkand", "Naples",  "Dover",     "Calcutta", "Savannah"};
static const char *const roles[] = {"Cartographer", "Clockmaker", "Baker",    "Astronomer",
                                    "Beekeeper",    "Pianist",    "Gardener", "Tailor",
                                    "Smuggler",     "Librarian",  "Ferryman", "Composer",
                                    "Magician",     "Surgeon",    "Glazier",  "Translator"};
static const char *const things[] = {"Daughter", "Apprentice", "Secret",    "Widow",
                                     "Promise",  "Dog",        "Brother",   "Notebook",
                                     "Shadow",   "Mistake",    "Last Wish", "Winter"};
static const char *const names[] = {"Clara",  "Henry",  "Mina", "Oscar", "Ruth",   "Victor",
                                    "Ada",    "Felix",  "Nora", "Leo",   "Iris",   "Hugo",
                                    "Stella", "Arthur", "June", "Otto",  "Judith", "Emil"};

/* A adjective, N noun, P place, R role, T thing, M name; "a " before a word becomes "an " where it
 * should. Listed more than once: more often. */
static const char *const patterns[] = {
    "The A N",         "The A N",      "The A N",     "A N",        "A N",
    "The N of P",      "a N in P",     "M and the N", "The R's T",  "a A N",
    "M in P",          "The A N of P", "No N for M",  "N at the N", "The N Between Us",
    "The R and the N", "Before the N", "Every A N",
};

static const char *const jobs[] = {"teacher", "nurse",   "engineer", "student", "farmer", "lawyer",
                                   "artist",  "retired", "chef",     "driver",  "writer", "clerk"};
static const char *const countries[] = {"US", "FR", "GB", "IT", "JP", "DE", "IN", "KR", "ES", "SE"};

static const char *pick(struct rng *r, const char *const *list, size_t n)
{
    return list[rng_below(r, n)];
}

const char *film_genre(uint32_t genre)
{
    return genres[genre].name;
}

void titles_done(struct titles *t)
{
    intern_done(&t->used);
    mem_free(t->sequels);
    memset(t, 0, sizeof *t);
}

static const char *word(char letter, struct rng *r, uint32_t genre)
{
    switch (letter) {
    case 'A':
        return pick(r, adjectives, COUNT(adjectives));
    case 'N':
        return rng_below(r, 3) ? genres[genre].noun[rng_below(r, GENRE_NOUNS)]
                               : pick(r, nouns, COUNT(nouns));
    case 'P':
        return pick(r, places, COUNT(places));
    case 'R':
        return pick(r, roles, COUNT(roles));
    case 'T':
        return pick(r, things, COUNT(things));
    case 'M':
        return pick(r, names, COUNT(names));
    default:
        return NULL;
    }
}

/* Whether the letter at p is a word of its own: "A" in "The A N", not in "And". */
static bool is_slot(const char *pattern, const char *p)
{
    bool starts = p == pattern || p[-1] == ' ';
    return starts && (p[1] == 0 || p[1] == ' ' || p[1] == '\'');
}

static size_t compose(struct rng *r, uint32_t genre, char *out)
{
    const char *pattern = pick(r, patterns, COUNT(patterns));
    size_t len = 0;
    for (const char *p = pattern; *p; p++) {
        const char *w = is_slot(pattern, p) ? word(*p, r, genre) : NULL;
        if (w)
            len += (size_t)snprintf(out + len, TITLE_MAX - len, "%s", w);
        else if (*p == 'a' && is_slot(pattern, p))
            out[len++] = 'A'; /* the article; its n comes below */
        else
            out[len++] = *p;
    }
    out[len] = 0;
    bool article = out[0] == 'A' && out[1] == ' ';
    if (article && strchr("AEIOU", out[2])) {
        memmove(out + 2, out + 1, len);
        out[1] = 'n';
        len++;
    }
    return len;
}

/* A title that is in no use, without its year. */
static enum pal_status new_title(struct titles *t, struct rng *r, uint32_t genre, char *out,
                                 struct pal_error *err)
{
    uint32_t number = 0;
    size_t len = 0;
    for (int i = 0; i < TRIES; i++) {
        len = compose(r, genre, out);
        number = intern_find(&t->used, out, len);
        if (number == INTERN_NONE)
            break;
    }
    bool fresh = number == INTERN_NONE;
    if (!fresh)
        snprintf(out + len, TITLE_MAX - len, " %u", t->sequels[number]++);
    enum pal_status st = PAL_OK;
    if (mem_grow(&t->sequels, &t->sequels_cap, (size_t)t->used.count + 1, sizeof *t->sequels))
        return pal_no_memory(err);
    if (fresh)
        st = intern_add(&t->used, out, len, &number, err);
    if (fresh && st == PAL_OK)
        t->sequels[number] = 2;
    return st;
}

static enum pal_status next_id(struct intern *ids, struct pal_error *err)
{
    char id[16];
    uint32_t number;
    int len = snprintf(id, sizeof id, "%u", ids->count + 1);
    return intern_add(ids, id, (size_t)len, &number, err);
}

enum pal_status film_invent(struct titles *t, const uint32_t *genre, uint32_t genre_count,
                            struct rng *r, struct items *items, struct pal_error *err)
{
    char base[TITLE_MAX], title[TITLE_MAX + 8], json[96];
    enum pal_status st = new_title(t, r, genre[0], base, err);
    if (st)
        return st;
    int year = 2024 - (int)(95 * pow(rng_real(r), 1.8)); /* 1930 to 2024, most of them recent */
    int minutes = 78 + (int)rng_below(r, 75);
    int len = snprintf(title, sizeof title, "%s (%d)", base, year);
    st = texts_add(&items->titles, title, (size_t)len, err);
    len = snprintf(json, sizeof json, "{\"year\":%d,\"minutes\":%d,\"country\":\"%s\"}", year,
                   minutes, pick(r, countries, COUNT(countries)));
    if (st == PAL_OK)
        st = texts_add(&items->attributes, json, (size_t)len, err);
    for (uint32_t i = 0; st == PAL_OK && i < genre_count; i++) {
        const char *name = film_genre(genre[i]);
        st = labels_add(&items->categories, name, strlen(name), err);
    }
    if (st == PAL_OK)
        st = labels_end_row(&items->categories, err);
    return st == PAL_OK ? next_id(&items->ids, err) : st;
}

enum pal_status person_invent(struct rng *r, struct users *users, struct pal_error *err)
{
    char json[96];
    int age = 16 + (int)(60 * pow(rng_real(r), 1.5));
    int len = snprintf(json, sizeof json, "{\"age\":%d,\"occupation\":\"%s\"}", age,
                       pick(r, jobs, COUNT(jobs)));
    enum pal_status st = texts_add(&users->attributes, json, (size_t)len, err);
    return st == PAL_OK ? next_id(&users->ids, err) : st;
}
