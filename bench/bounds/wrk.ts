import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Place, Row } from './place.js';

const exec = promisify(execFile);

/** Runs wrk normally, and with eight pipelined requests per packet. Undefined when it is not on PATH. */
export async function wrk({ url }: Place, folder: string): Promise<Row[] | undefined> {
  const script = path.join(folder, 'pipeline.lua');
  await writeFile(script, 'request = function() return string.rep(wrk.format("GET", "/"), 8) end\n');
  try {
    return [
      await run('wrk, 64 connections, 5 s', [url]),
      await run('wrk, 8 requests in a packet', ['-s', script, url]),
    ];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function run(what: string, args: readonly string[]): Promise<Row> {
  const { stdout } = await exec('wrk', ['-t1', '-c64', '-d5s', ...args]);
  const [, requests = '0'] = /(\d+) requests in/.exec(stdout) ?? [];
  const [, rate = '?'] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? [];
  const errors = /Socket errors: .*|Non-2xx.*/.exec(stdout)?.[0].trim();
  return {
    what,
    found: `${requests} requests (${rate}/s), ${errors ?? 'no error'}`,
    bound: 'no error',
    holds: Number(requests) > 0 && errors === undefined,
  };
}
