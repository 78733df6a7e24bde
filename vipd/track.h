// SPDX-License-Identifier: MIT
/*
 * Liveness of a daemon of this board, by a connection to its control socket. The kernel closes it
 * the instant the daemon dies; a daemon that hangs is noticed within seconds, because the heartbeat
 * in its table grows old.
 *
 * Before the daemon was ever seen it counts as dead: a vipd that starts first waits for it. A
 * daemon that has said "stopping" gets a moment to come back, so that its restart does not move the
 * address.
 */
#ifndef TRACK_H
#define TRACK_H

#include "ipc/stats.h"
#include "ipc/watch.h"
#include "vip_conf.h"

#define TRACK_HANG_US	INT64_C(3000000) /* heartbeat older than this: it hangs */
#define TRACK_POLL_S	0.5
#define TRACK_RESTART_S 1.0 /* what a planned restart may take */

struct track {
	uint32_t magic; /* private: set while it runs */
	/* set by track_start() */
	struct vip_conf_track rule;	  /* ro */
	void (*changed)(struct track *t); /* private: alive is new */
	struct ev_loop *loop;		  /* private */
	struct watch watch;		  /* private */
	struct ev_timer poll, grace;	  /* private */
	struct stats_view table;	  /* private */
	char table_path[108];		  /* private */
	bool running;			  /* private: started and there is something to track */
	bool stopping;			  /* private: it has said "stopping" */
	bool hangs;			  /* private */
	bool alive;			  /* ro */
};

/* run_dir is where control sockets and tables are. changed may be called before this returns. */
void track_start(struct track *t, struct ev_loop *loop, const struct vip_conf_track *rule,
		 const char *run_dir, void (*changed)(struct track *t));
void track_stop(struct track *t); /* accepts one that was never started */

/* What the state machine makes of it. */
bool track_eligible(const struct track *t);
int track_bonus(const struct track *t);

#endif
