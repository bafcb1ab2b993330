// SPDX-License-Identifier: MIT
// A host for libxml2: a server whose threads parse what they are sent, one thread for each connection. A request is a line with
// the document's length and a word for what to do with it, then the document:
//
//   123 parse     ok ROOT'S NAME, or error CODE
//   123 valid     the same, and the document must be valid by the DTD that it carries; of what is not, the first error's
//                 text is answered
//
// Errors are for the answer, and never end the server.

#include <libxml/parser.h>
#include <libxml/valid.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void quiet(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

// The first message of a validation, with no line end in it.
struct first {
	char text[256];
};

static void keep_first(void *context, const char *format, ...)
{
	struct first *first = context;
	va_list words;
	if (first->text[0])
		return;
	va_start(words, format);
	vsnprintf(first->text, sizeof(first->text), format, words);
	va_end(words);
	for (char *c = first->text; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

static void answer(FILE *out, const char *document, size_t length, int validate)
{
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	xmlDocPtr doc = xmlCtxtReadMemory(parser, document, (int)length, "request", NULL,
					  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc) {
		fprintf(out, "error %d\n", parser->lastError.code);
	} else if (validate) {
		struct first first = { "" };
		xmlValidCtxtPtr valid = xmlNewValidCtxt();
		valid->userData = &first;
		valid->error = keep_first;
		valid->warning = quiet;
		if (xmlValidateDocument(valid, doc) == 1)
			fprintf(out, "ok %s\n", (const char *)xmlDocGetRootElement(doc)->name);
		else
			fprintf(out, "invalid %s\n", first.text);
		xmlFreeValidCtxt(valid);
	} else {
		fprintf(out, "ok %s\n", (const char *)xmlDocGetRootElement(doc)->name);
	}
	xmlFreeDoc(doc);
	xmlFreeParserCtxt(parser);
	fflush(out);
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	FILE *in = fdopen(fd, "r");
	FILE *out = fdopen(dup(fd), "w");
	char line[64], what[16];
	size_t length;
	while (fgets(line, sizeof(line), in) && sscanf(line, "%zu %15s", &length, what) == 2 && length < 1 << 24) {
		char *document = malloc(length);
		if (fread(document, 1, length, in) == length)
			answer(out, document, length, strcmp(what, "valid") == 0);
		free(document);
	}
	fclose(in);
	fclose(out);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: xml-host PORT\n");
		return 2;
	}
	xmlInitParser();
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (void *)&address, sizeof(address)) || listen(listener, 64)) {
		perror("xml-host");
		return 1;
	}
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0)
			pthread_detach(thread);
		else
			close(fd);
	}
}
