/* The state file: sections [system] [default] [gpu0] [gpu1] …, lines "key = value". SIMULATED. */
#include "mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STATE_FILE "/var/lib/railbed-sim/gpu.ini"
#define MAX_ENTRIES 4096
#define SECTION_SIZE 16
#define KEY_SIZE 72
#define VALUE_SIZE 160
#define HANG_POLL_NS 100000000L

static struct {
    char section[SECTION_SIZE], key[KEY_SIZE], value[VALUE_SIZE];
} entries[MAX_ENTRIES];
static int entry_count;
static struct timespec seen_time;
static off_t seen_size = -1;
static ino_t seen_inode;
static int handles[MAX_DEVICES]; /* a device's handle is the address of its place here */

int traced(void)
{
    return getenv("NVML_TRACE") != NULL;
}

static char *trimmed(char *text)
{
    char *end;

    while (*text == ' ' || *text == '\t') text++;
    end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1])) *--end = 0;
    return text;
}

static void read_entries(FILE *file)
{
    char line[SECTION_SIZE + KEY_SIZE + VALUE_SIZE], section[SECTION_SIZE] = "";

    entry_count = 0;
    while (fgets(line, sizeof line, file) && entry_count < MAX_ENTRIES) {
        char *text = trimmed(line), *equals, *bracket;

        if (!*text || *text == '#' || *text == ';') continue;
        if (*text == '[') {
            if ((bracket = strchr(text, ']'))) *bracket = 0;
            snprintf(section, sizeof section, "%.*s", SECTION_SIZE - 1, text + 1);
            continue;
        }
        if (!(equals = strchr(text, '='))) continue;
        *equals = 0;
        snprintf(entries[entry_count].section, SECTION_SIZE, "%s", section);
        snprintf(entries[entry_count].key, KEY_SIZE, "%.*s", KEY_SIZE - 1, trimmed(text));
        snprintf(entries[entry_count].value, VALUE_SIZE, "%.*s", VALUE_SIZE - 1, trimmed(equals + 1));
        entry_count++;
    }
}

/* Reads the file again when it was changed or replaced. Without one the host has the defaults' eight GPUs. */
static void refresh(void)
{
    const char *path = getenv("NVML_STATE") ? getenv("NVML_STATE") : STATE_FILE;
    struct stat found;
    FILE *file;

    if (stat(path, &found)) {
        entry_count = 0;
        seen_size = -1;
        return;
    }
    if (seen_size == found.st_size && seen_inode == found.st_ino
        && !memcmp(&seen_time, &found.st_mtim, sizeof seen_time)) return;
    if (!(file = fopen(path, "r"))) return;
    seen_time = found.st_mtim;
    seen_size = found.st_size;
    seen_inode = found.st_ino;
    read_entries(file);
    fclose(file);
}

/* The last line of a key wins, so that a fault may be appended to the file. */
static const char *entry(const char *section, const char *key)
{
    for (int i = entry_count - 1; i >= 0; i--)
        if (!strcmp(entries[i].section, section) && !strcmp(entries[i].key, key)) return entries[i].value;
    return NULL;
}

const char *system_text(const char *key, const char *otherwise)
{
    const char *value;

    refresh();
    value = entry("system", key);
    return value ? value : otherwise;
}

number_t system_number(const char *key, number_t otherwise)
{
    const char *value = system_text(key, NULL);

    return value ? strtoull(value, NULL, 0) : otherwise;
}

const char *device_text(nvmlDevice_t device, const char *key, const char *otherwise)
{
    char section[SECTION_SIZE];
    const char *value;

    refresh();
    snprintf(section, sizeof section, "gpu%d", device_index(device));
    value = entry(section, key);
    if (!value) value = entry("default", key);
    return value ? value : otherwise;
}

number_t device_number(nvmlDevice_t device, const char *key, number_t otherwise)
{
    const char *value = device_text(device, key, NULL);

    return value ? strtoull(value, NULL, 0) : otherwise;
}

int device_count(void)
{
    number_t count = system_number("gpus", 8);

    return count < MAX_DEVICES ? (int)count : MAX_DEVICES;
}

int device_index(nvmlDevice_t device)
{
    return (int)((int *)device - handles);
}

nvmlDevice_t device_at(int index)
{
    return (nvmlDevice_t)&handles[index];
}

nvmlReturn_t device_error(nvmlDevice_t device, const char *function)
{
    const struct timespec pause = {0, HANG_POLL_NS};
    char key[KEY_SIZE];
    const char *value;

    if (device_index(device) < 0 || device_index(device) >= MAX_DEVICES) return NVML_ERROR_INVALID_ARGUMENT;
    while (device_number(device, "hang", 0)) nanosleep(&pause, NULL);
    snprintf(key, sizeof key, "err.%s", function);
    value = device_text(device, key, NULL);
    if (!value) value = device_text(device, "err", NULL);
    return value ? (nvmlReturn_t)atoi(value) : NVML_SUCCESS;
}

nvmlReturn_t put_text(char *buffer, unsigned int size, const char *text)
{
    if (strlen(text) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return NVML_SUCCESS;
}
