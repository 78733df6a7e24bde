// SPDX-License-Identifier: MIT
/*
 * HTTP's lists, each written once and expanded many ways: methods, statuses, and the field names that our code
 * knows by number.
 */
#ifndef HTTP_TBL_H
#define HTTP_TBL_H

/* X(NAME, safe, idempotent) — RFC 9110 §9.3 and RFC 5789. Anything else is HTTP_OTHER: unsafe. */
#define HTTP_METHODS(X)                                                                            \
	X(GET, 1, 1)                                                                               \
	X(HEAD, 1, 1)                                                                              \
	X(POST, 0, 0)                                                                              \
	X(PUT, 0, 1)                                                                               \
	X(DELETE, 0, 1)                                                                            \
	X(OPTIONS, 1, 1)                                                                           \
	X(PATCH, 0, 0)                                                                             \
	X(PURGE, 0, 1)                                                                             \
	X(TRACE, 1, 1)                                                                             \
	X(CONNECT, 0, 0)

/* X(code, reason) */
#define HTTP_STATUSES(X)                                                                           \
	X(100, "Continue")                                                                         \
	X(101, "Switching Protocols")                                                              \
	X(102, "Processing")                                                                       \
	X(103, "Early Hints")                                                                      \
	X(200, "OK")                                                                               \
	X(201, "Created")                                                                          \
	X(202, "Accepted")                                                                         \
	X(203, "Non-Authoritative Information")                                                    \
	X(204, "No Content")                                                                       \
	X(205, "Reset Content")                                                                    \
	X(206, "Partial Content")                                                                  \
	X(300, "Multiple Choices")                                                                 \
	X(301, "Moved Permanently")                                                                \
	X(302, "Found")                                                                            \
	X(303, "See Other")                                                                        \
	X(304, "Not Modified")                                                                     \
	X(307, "Temporary Redirect")                                                               \
	X(308, "Permanent Redirect")                                                               \
	X(400, "Bad Request")                                                                      \
	X(401, "Unauthorized")                                                                     \
	X(403, "Forbidden")                                                                        \
	X(404, "Not Found")                                                                        \
	X(405, "Method Not Allowed")                                                               \
	X(406, "Not Acceptable")                                                                   \
	X(408, "Request Timeout")                                                                  \
	X(409, "Conflict")                                                                         \
	X(410, "Gone")                                                                             \
	X(411, "Length Required")                                                                  \
	X(412, "Precondition Failed")                                                              \
	X(413, "Content Too Large")                                                                \
	X(414, "URI Too Long")                                                                     \
	X(416, "Range Not Satisfiable")                                                            \
	X(417, "Expectation Failed")                                                               \
	X(421, "Misdirected Request")                                                              \
	X(426, "Upgrade Required")                                                                 \
	X(429, "Too Many Requests")                                                                \
	X(431, "Request Header Fields Too Large")                                                  \
	X(500, "Internal Server Error")                                                            \
	X(501, "Not Implemented")                                                                  \
	X(502, "Bad Gateway")                                                                      \
	X(503, "Service Unavailable")                                                              \
	X(504, "Gateway Timeout")                                                                  \
	X(505, "HTTP Version Not Supported")                                                       \
	X(508, "Loop Detected")

/* X(ID, "name in lower case", hop): hop = 1 for fields of one connection only (RFC 9110 §7.6.1). */
#define HTTP_FIELDS(X)                                                                             \
	X(HOST, "host", 0)                                                                         \
	X(CONNECTION, "connection", 1)                                                             \
	X(CONTENT_LENGTH, "content-length", 0)                                                     \
	X(TRANSFER_ENCODING, "transfer-encoding", 1)                                               \
	X(KEEP_ALIVE, "keep-alive", 1)                                                             \
	X(PROXY_CONNECTION, "proxy-connection", 1)                                                 \
	X(PROXY_AUTHENTICATE, "proxy-authenticate", 1)                                             \
	X(PROXY_AUTHORIZATION, "proxy-authorization", 1)                                           \
	X(PROXY_AUTHENTICATION_INFO, "proxy-authentication-info", 1)                               \
	X(TE, "te", 1)                                                                             \
	X(TRAILER, "trailer", 1)                                                                   \
	X(UPGRADE, "upgrade", 1)                                                                   \
	X(EXPECT, "expect", 0)                                                                     \
	X(COOKIE, "cookie", 0)                                                                     \
	X(SET_COOKIE, "set-cookie", 0)                                                             \
	X(AUTHORIZATION, "authorization", 0)                                                       \
	X(CACHE_CONTROL, "cache-control", 0)                                                       \
	X(CDN_CACHE_CONTROL, "cdn-cache-control", 0)                                               \
	X(PRAGMA, "pragma", 0)                                                                     \
	X(EXPIRES, "expires", 0)                                                                   \
	X(DATE, "date", 0)                                                                         \
	X(AGE, "age", 0)                                                                           \
	X(ETAG, "etag", 0)                                                                         \
	X(LAST_MODIFIED, "last-modified", 0)                                                       \
	X(VARY, "vary", 0)                                                                         \
	X(IF_MATCH, "if-match", 0)                                                                 \
	X(IF_NONE_MATCH, "if-none-match", 0)                                                       \
	X(IF_MODIFIED_SINCE, "if-modified-since", 0)                                               \
	X(IF_UNMODIFIED_SINCE, "if-unmodified-since", 0)                                           \
	X(IF_RANGE, "if-range", 0)                                                                 \
	X(RANGE, "range", 0)                                                                       \
	X(CONTENT_RANGE, "content-range", 0)                                                       \
	X(ACCEPT_RANGES, "accept-ranges", 0)                                                       \
	X(CONTENT_TYPE, "content-type", 0)                                                         \
	X(CONTENT_ENCODING, "content-encoding", 0)                                                 \
	X(CONTENT_LOCATION, "content-location", 0)                                                 \
	X(ACCEPT_ENCODING, "accept-encoding", 0)                                                   \
	X(ACCEPT_LANGUAGE, "accept-language", 0)                                                   \
	X(USER_AGENT, "user-agent", 0)                                                             \
	X(REFERER, "referer", 0)                                                                   \
	X(LOCATION, "location", 0)                                                                 \
	X(SERVER, "server", 0)                                                                     \
	X(VIA, "via", 0)                                                                           \
	X(FORWARDED, "forwarded", 0)                                                               \
	X(X_FORWARDED_FOR, "x-forwarded-for", 0)                                                   \
	X(X_FORWARDED_PROTO, "x-forwarded-proto", 0)                                               \
	X(X_FORWARDED_HOST, "x-forwarded-host", 0)                                                 \
	X(CACHE_STATUS, "cache-status", 0)                                                         \
	X(LINK, "link", 0)                                                                         \
	X(WWW_AUTHENTICATE, "www-authenticate", 0)                                                 \
	X(RETRY_AFTER, "retry-after", 0)                                                           \
	X(SURROGATE_KEY, "surrogate-key", 0)

#endif
