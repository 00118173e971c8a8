/** Holds a Kubernetes manifest against the schemas of Kubernetes' own OpenAPI document. */
import { validate as deployment } from "kubernetes-models/_schemas/IoK8sApiAppsV1Deployment";
import { validate as job } from "kubernetes-models/_schemas/IoK8sApiBatchV1Job";
import { validate as secret } from "kubernetes-models/_schemas/IoK8sApiCoreV1Secret";
import { validate as service } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as disruptionBudget } from "kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget";

interface Validate {
  (data: unknown): boolean;
  readonly errors?:
    | readonly { readonly instancePath: string; readonly keyword: string; readonly message?: string }[]
    | null;
}
const KINDS: Readonly<Record<string, Validate>> = {
  "apps/v1 Deployment": deployment,
  "batch/v1 Job": job,
  "policy/v1 PodDisruptionBudget": disruptionBudget,
  "v1 Secret": secret,
  "v1 Service": service,
};

/** What is wrong with it: values of a wrong type, what is missing, and keys that Kubernetes does not know. */
export function faultsOf(manifest: Readonly<Record<string, unknown>>): string[] {
  const name = `${manifest["apiVersion"]} ${manifest["kind"]}`;
  const validate = KINDS[name];
  if (!validate) return [`${name} is none of ${Object.keys(KINDS).join(", ")}`];
  const watched = watch(manifest);
  const faults = validate(watched.value) ? [] : (validate.errors ?? []);
  return [
    ...faults.map(({ instancePath, message, keyword }) => `${instancePath} ${message ?? keyword}`),
    ...watched.unread(),
  ];
}

/** The schemas let unknown keys pass, and never look at them: what was not read is unknown. */
function watch(value: object, path = ""): { readonly value: object; unread(): string[] } {
  const children = new Map<PropertyKey, ReturnType<typeof watch>>();
  const read = new Set<PropertyKey>();
  const proxy = new Proxy(value, {
    get(target, key) {
      read.add(key);
      const found: unknown = Reflect.get(target, key);
      if (typeof found !== "object" || found === null) return found;
      const child = children.get(key) ?? watch(found, `${path}/${String(key)}`);
      children.set(key, child);
      return child.value;
    },
  });
  return {
    value: proxy,
    unread: () => [
      ...Object.keys(value)
        .filter((key) => !read.has(key))
        .map((key) => `${path}/${key} is unknown`),
      ...[...children.values()].flatMap((child) => child.unread()),
    ],
  };
}
