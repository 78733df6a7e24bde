// SPDX-License-Identifier: MIT
/*
 * Doubly linked rings, embedded in what they link: a head, and a node in each member. For walking over what lives, and
 * for members that leave by themselves.
 *
 *	struct list *l;
 *	LIST_EACH(l, &w->running)
 *		check(container_of(l, struct proxy, in_worker));
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/def.h"

struct list {
	struct list *prev, *next; /* private */
};

/* The body must not take members out. */
#define LIST_EACH(l, head) for ((l) = (head)->next; (l) != (head); (l) = (l)->next)

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* As the last one. */
static inline void list_add(struct list *head, struct list *l)
{
	l->next = head;
	l->prev = head->prev;
	l->prev->next = l;
	head->prev = l;
}

static inline void list_remove(struct list *l)
{
	MUST(l->prev->next == l && l->next->prev == l);
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = l;
}

/* Aborts unless the ring is whole; returns how many members it has. */
static inline unsigned list_check(const struct list *head)
{
	unsigned n = 0;
	for (const struct list *l = head; n == 0 || l != head; l = l->next, n++)
		MUST(l->next->prev == l && n < UINT32_MAX);
	return n - 1;
}

#endif
