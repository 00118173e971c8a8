import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { client } from "/work/main/sdk/client/dist/index.js";
import { startEmbeddedPostgres } from "/work/main/server/dist/index.js";
import { freePort, Program, stopAll } from "/work/main/scripts/processes.js";
import { fanOut, oneTask, sequential, throughput } from "/work/main/bench/workloads.js";
const root="/work/main"; const what=process.argv[2]??"w2";
const folder = mkdtempSync("/tmp/prof-"); const pg = await startEmbeddedPostgres(join(folder,"data"));
const port = await freePort(); const url=`http://127.0.0.1:${port}`; const bin=join(root,"sdk/cli/dist/bin.js");
const env={DATABASE_URL:pg.url,PORT:String(port),AIKI_ADMIN_KEY:"bench-admin-key-bench-admin-key-0123",AIKI_SECRET:Buffer.alloc(32,7).toString("base64"),AIKI_PUBLIC_URL:url,AIKI_EGRESS_ALLOW:"127.0.0.0/8"};
await new Program({name:"m",cwd:root,args:[bin,"migrate"],env}).ended;
const prof = (d:string)=>process.env.PROF?["--cpu-prof","--cpu-prof-interval=200",`--cpu-prof-dir=/tmp/prof-out/${d}`]:[];
const o=new Program({name:"o",cwd:root,args:[...prof("server"),bin,"start"] as any,env}); await o.line(/aiki ready/,30000);
const app=new Program({name:"app",cwd:root,args:[...prof("app"),"--import","data:text/javascript,process.on(\"SIGINT\",()=>process.exit(0))","--import","tsx",join(root,"bench/endpoint.ts")] as any,env:{AIKI_URL:url,NODE_ENV:"production"}});
const [,ap]=await app.line(/listening (\d+)/,30000);
const aiki=client({url,apiKey:env.AIKI_ADMIN_KEY});
const r=await fetch(`${url}/v1/endpoints`,{method:"POST",headers:{authorization:`Bearer ${env.AIKI_ADMIN_KEY}`,"content-type":"application/json"},body:JSON.stringify({url:`http://127.0.0.1:${ap}/api/aiki`,name:"b",concurrency:256})});
if(!r.ok) throw new Error(await r.text());
import { execSync } from "node:child_process";
const cpu=(pid:number)=>{const s=execSync(`cat /proc/${pid}/stat`).toString().split(") ")[1]!.split(" ");return (Number(s[11])+Number(s[12]))*10};
await sequential(aiki,100);
const c0=cpu(o.pid),e0=cpu(app.pid),d0=process.cpuUsage();
const t=performance.now(); let tasks=0;
if(what==="w1"){const s=await oneTask(aiki,400);tasks=400;s.sort((a,b)=>a-b);console.log("p50",s[200]!.toFixed(2))}
if(what==="w2"){const n=Number(process.argv[3]??500);for(let i=0;i<4;i++)console.log("ms/task",(await sequential(aiki,n)).toFixed(3));tasks=4*n}
if(what==="w3"){console.log("tasks/s",(await throughput(aiki,1000,64)).toFixed(0));console.log("tasks/s",(await throughput(aiki,1000,64)).toFixed(0));tasks=10000}
if(what==="w4"){for(let i=0;i<20;i++)await fanOut(aiki,100);const s=[];for(let i=0;i<20;i++)s.push(await fanOut(aiki,100));s.sort((a,b)=>a-b);console.log("p50",s[10]!.toFixed(2));tasks=4000}
const wall=performance.now()-t; const d=process.cpuUsage(d0);
console.log({wall:wall.toFixed(0),tasks,serverCpuPerTask:((cpu(o.pid)-c0)/tasks).toFixed(3),appCpuPerTask:((cpu(app.pid)-e0)/tasks).toFixed(3),driverCpuPerTask:((d.user+d.system)/1000/tasks).toFixed(3)});
process.kill(o.pid,"SIGTERM");process.kill(app.pid,"SIGINT"); await new Promise(r=>setTimeout(r,process.env.PROF?4000:500));
await stopAll(); await pg.close(); rmSync(folder,{recursive:true,force:true}); process.exit(0);
