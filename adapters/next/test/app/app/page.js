export default function Page() {
  return <p>Aiki's test app</p>;
}
