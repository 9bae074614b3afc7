#pragma once

namespace libnet::faults {

class Trial;

void beginning(Trial& trial);
void echo_with_listeners(Trial& trial);
void echo_awaited(Trial& trial);
void bulk_with_listeners(Trial& trial);
void bulk_awaited(Trial& trial);
void text(Trial& trial);
void unshift(Trial& trial);
void pipe_copied(Trial& trial);
void pipe_spliced(Trial& trial);
void pipe_awaited(Trial& trial);
void half_close(Trial& trial);
void idle_timeout(Trial& trial);
void time_limits(Trial& trial);
void five_accepts(Trial& trial);
void lookup_with_listeners(Trial& trial);
void lookup_awaited(Trial& trial);
void unix_path(Trial& trial);
void lingering_end(Trial& trial);
void reset(Trial& trial);
void refused(Trial& trial);
void refused_awaited(Trial& trial);
void server_close(Trial& trial);
void handler_throws(Trial& trial);
void options(Trial& trial);
void given_sockets(Trial& trial);
void other_thread(Trial& trial);

}  // namespace libnet::faults
