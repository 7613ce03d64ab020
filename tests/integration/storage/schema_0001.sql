-- What UML wrote with its first schema, as it was in the file.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE loads (
	id TEXT NOT NULL, 
	run_id TEXT, 
	kind TEXT, 
	model_id TEXT, 
	backend TEXT, 
	request JSON, 
	options JSON, 
	context_length INTEGER, 
	state TEXT, 
	cause_code TEXT, 
	cause TEXT, 
	reason TEXT, 
	previous TEXT, 
	started TEXT, 
	finished TEXT, 
	seconds FLOAT, 
	check_s FLOAT, 
	drain_s FLOAT, 
	unload_s FLOAT, 
	start_s FLOAT, 
	probe_s FLOAT, 
	predicted_bytes INTEGER, 
	measured_bytes INTEGER, 
	rolled_back BOOLEAN, 
	generation INTEGER, 
	PRIMARY KEY (id)
);
INSERT INTO "loads" VALUES('job_000000000000','0123456789abcdef','load','SmolLM2-135M-Instruct-Q4_1','llamacpp','{"model": "smol", "options": {}}','{"n_batch": 512, "name": "\u00fc \"quoted\""}',4096,'committed',NULL,NULL,NULL,NULL,'2026-10-01T10:00:00+00:00','2026-10-01T10:00:01+00:00',2.5,NULL,NULL,NULL,1.5,NULL,NULL,NULL,0,0);
INSERT INTO "loads" VALUES('job_000000000001','0123456789abcdef','load','SmolLM2-135M-Instruct-Q4_1','llamacpp','{"model": "smol", "options": {}}','{"n_batch": 512, "name": "\u00fc \"quoted\""}',4096,'committed',NULL,NULL,NULL,NULL,'2026-10-01T10:00:01+00:00','2026-10-01T10:00:02+00:00',2.5,NULL,NULL,NULL,2.5,NULL,NULL,NULL,0,1);
INSERT INTO "loads" VALUES('job_000000000002','0123456789abcdef','load','SmolLM2-135M-Instruct-Q4_1','llamacpp','{"model": "smol", "options": {}}','{"n_batch": 512, "name": "\u00fc \"quoted\""}',4096,'committed',NULL,NULL,NULL,NULL,'2026-10-01T10:00:02+00:00','2026-10-01T10:00:03+00:00',2.5,NULL,NULL,NULL,3.5,NULL,NULL,NULL,0,2);
INSERT INTO "loads" VALUES('job_000000000003','0123456789abcdef','load','SmolLM2-135M-Instruct-Q4_1','llamacpp','{"model": "smol", "options": {}}','{"n_batch": 512, "name": "\u00fc \"quoted\""}',4096,'committed',NULL,NULL,NULL,NULL,'2026-10-01T10:00:03+00:00','2026-10-01T10:00:04+00:00',2.5,NULL,NULL,NULL,4.5,NULL,NULL,NULL,0,3);
CREATE TABLE requests (
	id TEXT NOT NULL, 
	run_id TEXT, 
	request_id TEXT, 
	started TEXT, 
	finished TEXT, 
	model_id TEXT, 
	task TEXT, 
	path TEXT, 
	generation INTEGER, 
	attempts INTEGER, 
	status TEXT, 
	code TEXT, 
	http_status INTEGER, 
	prompt_tokens INTEGER, 
	completion_tokens INTEGER, 
	queue_s FLOAT, 
	first_token_s FLOAT, 
	total_s FLOAT, 
	streamed BOOLEAN, 
	PRIMARY KEY (id)
);
INSERT INTO "requests" VALUES('0123456789abcdef-0','0123456789abcdef','req_0','2026-10-01T10:00:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'started',NULL,NULL,0,0,NULL,NULL,0.0,1);
INSERT INTO "requests" VALUES('0123456789abcdef-1','0123456789abcdef','req_1','2026-10-01T10:01:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,1,2,NULL,NULL,0.125,0);
INSERT INTO "requests" VALUES('0123456789abcdef-2','0123456789abcdef','req_2','2026-10-01T10:02:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,2,4,NULL,NULL,0.25,1);
INSERT INTO "requests" VALUES('0123456789abcdef-3','0123456789abcdef','req_3','2026-10-01T10:03:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,3,6,NULL,NULL,0.375,0);
INSERT INTO "requests" VALUES('0123456789abcdef-4','0123456789abcdef','req_4','2026-10-01T10:04:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,4,8,NULL,NULL,0.5,1);
INSERT INTO "requests" VALUES('0123456789abcdef-5','0123456789abcdef','req_5','2026-10-01T10:05:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,5,10,NULL,NULL,0.625,0);
INSERT INTO "requests" VALUES('0123456789abcdef-6','0123456789abcdef','req_6','2026-10-01T10:06:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,6,12,NULL,NULL,0.75,1);
INSERT INTO "requests" VALUES('0123456789abcdef-7','0123456789abcdef','req_7','2026-10-01T10:07:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,7,14,NULL,NULL,0.875,0);
INSERT INTO "requests" VALUES('0123456789abcdef-8','0123456789abcdef','req_8','2026-10-01T10:08:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,8,16,NULL,NULL,1.0,1);
INSERT INTO "requests" VALUES('0123456789abcdef-9','0123456789abcdef','req_9','2026-10-01T10:09:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,9,18,NULL,NULL,1.125,0);
INSERT INTO "requests" VALUES('0123456789abcdef-10','0123456789abcdef','req_10','2026-10-01T10:10:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,10,20,NULL,NULL,1.25,1);
INSERT INTO "requests" VALUES('0123456789abcdef-11','0123456789abcdef','req_11','2026-10-01T10:11:00.000+00:00',NULL,'SmolLM2-135M-Instruct-Q4_1','text-generation','/v1/chat/completions',NULL,NULL,'ok',NULL,NULL,11,22,NULL,NULL,1.375,0);
CREATE TABLE transitions (
	id TEXT NOT NULL, 
	run_id TEXT, 
	at TEXT, 
	machine TEXT, 
	slot INTEGER, 
	generation INTEGER, 
	job_id TEXT, 
	model_id TEXT, 
	from_state TEXT, 
	to_state TEXT, 
	reason TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "transitions" VALUES('r-00000000','0123456789abcdef','2026-10-01T10:00:00.000000+00:00','worker',0,0,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000001','0123456789abcdef','2026-10-02T10:00:00.000000+00:00','worker',0,1,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000002','0123456789abcdef','2026-10-03T10:00:00.000000+00:00','worker',0,2,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000003','0123456789abcdef','2026-10-04T10:00:00.000000+00:00','worker',0,3,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000004','0123456789abcdef','2026-10-05T10:00:00.000000+00:00','worker',0,4,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000005','0123456789abcdef','2026-10-06T10:00:00.000000+00:00','worker',0,5,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000006','0123456789abcdef','2026-10-07T10:00:00.000000+00:00','worker',0,6,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000007','0123456789abcdef','2026-10-08T10:00:00.000000+00:00','worker',0,7,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
INSERT INTO "transitions" VALUES('r-00000008','0123456789abcdef','2026-10-09T10:00:00.000000+00:00','worker',0,8,NULL,'SmolLM2-135M-Instruct-Q4_1','loading','probing',NULL);
CREATE INDEX ix_transitions_at ON transitions (at);
CREATE INDEX ix_loads_finished ON loads (finished);
CREATE INDEX ix_loads_model_id_backend ON loads (model_id, backend);
CREATE INDEX ix_requests_started ON requests (started);
COMMIT;
